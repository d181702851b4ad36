//! What a command of the host writes: two streams in one order, bounded, and its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use sandbox_core::{ExitStatus, OutputStream, ProcessEvent};

use super::wakers::Wakers;
use crate::lock::Lock;

/// Bytes of output that wait for the host before the writers wait.
pub(crate) const OUTPUT_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
struct Queue {
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// Bytes in `events`.
    bytes: usize,
    /// How many ends for writing are held.
    writers: usize,
    /// Whether nobody reads: what comes is thrown away.
    discarding: bool,
    read_wakers: Wakers,
    write_wakers: Wakers,
}

#[derive(Debug)]
enum Event {
    Output(OutputStream, BytesMut),
    Exited(ExitStatus),
}

/// The end for writing of one stream: what descriptors 1 and 2 of a command are.
#[derive(Debug)]
pub(crate) struct OutputWriter {
    queue: Arc<Queue>,
    stream: OutputStream,
}

/// The end that puts the command's exit among its output.
#[derive(Debug)]
pub(crate) struct ExitWriter(Arc<Queue>);

/// The host's end. Dropping it throws away what waits and what comes, so that nobody blocks.
#[derive(Debug)]
pub(crate) struct OutputReader(Arc<Queue>);

/// The ends of a new command's output: standard output, standard error, its exit, the host's.
pub(crate) fn output() -> (OutputWriter, OutputWriter, ExitWriter, OutputReader) {
    let queue = Arc::new(Queue::default());
    queue.state.lock().writers = 3;
    let writer = |stream| OutputWriter {
        queue: queue.clone(),
        stream,
    };
    (
        writer(OutputStream::Stdout),
        writer(OutputStream::Stderr),
        ExitWriter(queue.clone()),
        OutputReader(queue.clone()),
    )
}

impl OutputWriter {
    /// Writes what fits, at least one byte; waits while the host does not read.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<usize> {
        let mut state = self.queue.state.lock();
        if state.discarding || bytes.is_empty() {
            return Poll::Ready(bytes.len());
        }
        let count = bytes.len().min(OUTPUT_BYTES - state.bytes);
        if count == 0 {
            state.write_wakers.add(cx);
            return Poll::Pending;
        }
        state.bytes += count;
        match state.events.back_mut() {
            Some(Event::Output(stream, chunk)) if *stream == self.stream => {
                chunk.extend_from_slice(&bytes[..count]);
            }
            _ => {
                let chunk = BytesMut::from(&bytes[..count]);
                state.events.push_back(Event::Output(self.stream, chunk));
            }
        }
        let wakers = state.read_wakers.take();
        drop(state);
        wakers.wake();
        Poll::Ready(count)
    }

    /// Waits until a write would not; the bytes that fit.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut state = self.queue.state.lock();
        if state.bytes == OUTPUT_BYTES && !state.discarding {
            state.write_wakers.add(cx);
            return Poll::Pending;
        }
        Poll::Ready(OUTPUT_BYTES - state.bytes.min(OUTPUT_BYTES - 1))
    }
}

impl ExitWriter {
    /// Says how the command ended, after everything it wrote.
    pub(crate) fn exited(self, status: ExitStatus) {
        let mut state = self.0.state.lock();
        if !state.discarding {
            state.events.push_back(Event::Exited(status));
        }
    }
}

impl OutputReader {
    /// The next event; `None` once the command ended and nobody holds its output.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<ProcessEvent>> {
        let mut state = self.0.state.lock();
        let event = match state.events.pop_front() {
            Some(Event::Output(stream, chunk)) => {
                state.bytes -= chunk.len();
                ProcessEvent::Output(stream, Bytes::from(chunk))
            }
            Some(Event::Exited(status)) => ProcessEvent::Exited(status),
            None if state.writers == 0 => return Poll::Ready(None),
            None => {
                state.read_wakers.add(cx);
                return Poll::Pending;
            }
        };
        let wakers = state.write_wakers.take();
        drop(state);
        wakers.wake();
        Poll::Ready(Some(event))
    }
}

impl Queue {
    fn drop_writer(&self) {
        let mut state = self.state.lock();
        state.writers -= 1;
        let wakers = state.read_wakers.take();
        drop(state);
        wakers.wake();
    }
}

impl Drop for OutputWriter {
    fn drop(&mut self) {
        self.queue.drop_writer();
    }
}

impl Drop for ExitWriter {
    fn drop(&mut self) {
        self.0.drop_writer();
    }
}

impl OutputReader {
    /// Throws away what waits and what comes, so that nobody blocks, until it is told otherwise.
    pub(crate) fn discard(&self, discarding: bool) {
        let mut state = self.0.state.lock();
        state.discarding = discarding;
        if !discarding {
            return;
        }
        state.bytes = 0;
        let events = std::mem::take(&mut state.events);
        let wakers = state.write_wakers.take();
        drop(state);
        drop(events);
        wakers.wake();
    }
}

impl Drop for OutputReader {
    fn drop(&mut self) {
        self.discard(true);
    }
}
