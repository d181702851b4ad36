//! Pipes: bounded, with an end that either side can see.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::lock::Locked;

const CAPACITY: usize = 64 << 10;

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    no_writer: bool,
    no_reader: bool,
}

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Notify,
}

/// The reading end; the last clone's drop breaks the pipe.
#[derive(Debug)]
pub(crate) struct PipeReader(Arc<Pipe>);

/// The writing end; the last clone's drop ends the file.
#[derive(Debug)]
pub(crate) struct PipeWriter(Arc<Pipe>);

/// Nobody reads any more.
#[derive(Debug)]
pub(crate) struct Broken;

pub(crate) fn pipe() -> (Arc<PipeReader>, Arc<PipeWriter>) {
    let pipe = Arc::new(Pipe::default());
    (
        Arc::new(PipeReader(Arc::clone(&pipe))),
        Arc::new(PipeWriter(pipe)),
    )
}

impl PipeReader {
    /// The next bytes, at most `max`; empty at the end.
    pub(crate) async fn read(&self, max: usize) -> Bytes {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.0.state.locked();
                if let Some(mut chunk) = state.chunks.pop_front() {
                    if chunk.len() > max {
                        let rest = chunk.split_off(max);
                        state.chunks.push_front(rest);
                    }
                    state.bytes -= chunk.len();
                    drop(state);
                    self.0.changed.notify_waiters();
                    return chunk;
                }
                if state.no_writer {
                    return Bytes::new();
                }
            }
            changed.await;
        }
    }
}

impl PipeWriter {
    /// Writes everything, waiting for room.
    pub(crate) async fn write(&self, mut data: Bytes) -> Result<(), Broken> {
        while !data.is_empty() {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.0.state.locked();
                if state.no_reader {
                    return Err(Broken);
                }
                let room = CAPACITY.saturating_sub(state.bytes);
                if room > 0 {
                    let part = data.split_to(room.min(data.len()));
                    state.bytes += part.len();
                    state.chunks.push_back(part);
                    drop(state);
                    self.0.changed.notify_waiters();
                    continue;
                }
            }
            changed.await;
        }
        Ok(())
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = self.0.state.locked();
        state.no_reader = true;
        state.chunks.clear();
        state.bytes = 0;
        drop(state);
        self.0.changed.notify_waiters();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.state.locked().no_writer = true;
        self.0.changed.notify_waiters();
    }
}
