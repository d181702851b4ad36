//! Answers made of many lines, which a worker makes no faster than the client takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use serde::Serialize;

use super::end;
use crate::agent::worker::{Completion, Completions, lock};
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{DATA_CHUNK, Tag, WireError};

/// The most chunks that wait to be sent.
const MAX_CHUNKS: usize = 8;

/// The sending side of a channel of lines.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) job: u64,
    pub(crate) out: Outflow,
    pub(crate) inn: Inflow,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Vec<u8>>,
    end: Option<Vec<u8>>,
    cancelled: bool,
}

/// The making side.
#[derive(Debug)]
pub(crate) struct LineWriter {
    job: u64,
    chunk: Vec<u8>,
    handed_over: u64,
    shared: Arc<Shared>,
    completions: Completions,
}

/// Both sides of a new channel of lines.
pub(crate) fn lines(job: u64, completions: Completions) -> (Lines, LineWriter) {
    let shared = Arc::<Shared>::default();
    let lines = Lines {
        job,
        out: Outflow::default(),
        inn: Inflow::default(),
        shared: Arc::clone(&shared),
    };
    let writer = LineWriter {
        job,
        chunk: Vec::new(),
        handed_over: 0,
        shared,
        completions,
    };
    (lines, writer)
}

impl Lines {
    /// Takes the next chunk, when the last one is on its way and there is room.
    pub(crate) fn produce(&mut self) {
        if self.out.is_ready() || self.out.room() < 2 * DATA_CHUNK {
            return;
        }
        let mut state = lock(&self.shared.state);
        if let Some(chunk) = state.chunks.pop_front() {
            self.out.push(Tag::Bytes, chunk);
            self.shared.room.notify_one();
        } else if let Some(end) = state.end.take() {
            self.out.push(Tag::End, end);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        lock(&self.shared.state).cancelled = true;
        self.shared.room.notify_one();
    }
}

impl LineWriter {
    /// Adds a line; false when nobody wants any more. Waits while the client is slow.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> bool {
        // Plain values: they always serialise into memory.
        let _ = serde_json::to_writer(&mut self.chunk, value);
        self.chunk.push(b'\n');
        self.chunk.len() < DATA_CHUNK || self.hand_over()
    }

    /// Bytes of all lines so far.
    pub(crate) fn written(&self) -> u64 {
        self.handed_over + self.chunk.len() as u64
    }

    fn hand_over(&mut self) -> bool {
        let chunk = std::mem::take(&mut self.chunk);
        self.handed_over += chunk.len() as u64;
        let mut state = lock(&self.shared.state);
        while state.chunks.len() >= MAX_CHUNKS && !state.cancelled {
            let waited = self.shared.room.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.cancelled {
            return false;
        }
        state.chunks.push_back(chunk);
        drop(state);
        self.completions.push(Completion::Lines(self.job));
        true
    }

    /// Ends the answer.
    pub(crate) fn finish(mut self, result: Result<(), WireError>) {
        if !self.chunk.is_empty() && !self.hand_over() {
            return;
        }
        lock(&self.shared.state).end = Some(end(result));
        self.completions.push(Completion::Lines(self.job));
    }
}
