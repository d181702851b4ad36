//! A process's output and end on their way to whoever reads them, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use sandbox_core::{BoxStream, ExitStatus, OutputStream, ProcessEvent, Result};
use tokio::sync::Notify;

use crate::lock::Locked;

/// How many bytes wait for a reader before the writer does.
const CAPACITY: usize = 256 << 10;
/// How many bytes are kept for a reader that may come back.
const KEPT: usize = 64 << 10;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Somebody holds the process or its stream: writers wait for them.
    Held,
    /// Nobody: the newest output is kept, in case one comes back.
    Away,
    /// The reader dropped its stream: nothing is kept.
    Gone,
}

#[derive(Debug)]
struct State {
    events: VecDeque<ProcessEvent>,
    bytes: usize,
    writers: usize,
    exited: bool,
    reader: Reader,
    /// Counts handles, so that an old one's end does not disturb a new one.
    generation: u64,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

impl Outbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                events: VecDeque::new(),
                bytes: 0,
                writers: 0,
                exited: false,
                reader: Reader::Away,
                generation: 0,
            }),
            changed: Notify::new(),
        })
    }

    pub(crate) fn writer(self: &Arc<Self>, stream: OutputStream) -> Arc<OutWriter> {
        self.state.locked().writers += 1;
        Arc::new(OutWriter {
            outbox: Arc::clone(self),
            stream,
        })
    }

    /// Takes the reader's side; an earlier holder loses it.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        let mut state = self.state.locked();
        state.generation += 1;
        state.reader = Reader::Held;
        let generation = state.generation;
        drop(state);
        self.changed.notify_waiters();
        Hold {
            outbox: Arc::clone(self),
            generation,
            left_as: Reader::Away,
        }
    }

    pub(crate) fn exited(&self, status: ExitStatus) {
        let mut state = self.state.locked();
        state.exited = true;
        state.events.push_back(ProcessEvent::Exited(status));
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether an end has been seen by its reader.
    pub(crate) fn is_read(&self) -> bool {
        let state = self.state.locked();
        state.exited && state.events.is_empty()
    }

    fn push(&self, stream: OutputStream, data: &Bytes) -> bool {
        let mut state = self.state.locked();
        match state.reader {
            Reader::Gone => return true,
            Reader::Held if state.bytes >= CAPACITY => return false,
            Reader::Held | Reader::Away => {}
        }
        state.bytes += data.len();
        state
            .events
            .push_back(ProcessEvent::Output(stream, data.clone()));
        if state.reader == Reader::Away {
            state.trim();
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    fn leave(&self, generation: u64, left_as: Reader) {
        let mut state = self.state.locked();
        if state.generation != generation {
            return;
        }
        state.reader = left_as;
        match left_as {
            Reader::Held => {}
            Reader::Away => state.trim(),
            Reader::Gone => {
                state
                    .events
                    .retain(|event| matches!(event, ProcessEvent::Exited(_)));
                state.bytes = 0;
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    async fn next(&self, generation: u64) -> Option<ProcessEvent> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state.locked();
                if state.generation != generation {
                    return None;
                }
                if let Some(event) = state.events.pop_front() {
                    if let ProcessEvent::Output(_, data) = &event {
                        state.bytes -= data.len();
                    }
                    drop(state);
                    self.changed.notify_waiters();
                    return Some(event);
                }
                if state.exited && state.writers == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }
}

impl State {
    /// Keeps the newest output alone, and the end.
    fn trim(&mut self) {
        while self.bytes > KEPT {
            let oldest = self
                .events
                .iter()
                .position(|event| matches!(event, ProcessEvent::Output(..)));
            match oldest.and_then(|at| self.events.remove(at)) {
                Some(ProcessEvent::Output(_, data)) => self.bytes -= data.len(),
                Some(ProcessEvent::Exited(_)) | None => return,
            }
        }
    }
}

/// The reader's side, held by a process handle and then by its stream.
#[derive(Debug)]
pub(crate) struct Hold {
    outbox: Arc<Outbox>,
    generation: u64,
    left_as: Reader,
}

impl Hold {
    pub(crate) fn into_stream(mut self) -> BoxStream<Result<ProcessEvent>> {
        self.left_as = Reader::Gone;
        Box::pin(stream::unfold(self, |hold| async move {
            let event = hold.outbox.next(hold.generation).await?;
            Some((Ok(event), hold))
        }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.outbox.leave(self.generation, self.left_as);
    }
}

/// An open descriptor that writes to the outbox.
#[derive(Debug)]
pub(crate) struct OutWriter {
    outbox: Arc<Outbox>,
    stream: OutputStream,
}

impl OutWriter {
    pub(crate) async fn write(&self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        loop {
            let changed = self.outbox.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.outbox.push(self.stream, &data) {
                return;
            }
            changed.await;
        }
    }

    /// Writes without waiting for room, as a terminal echoes.
    pub(crate) fn write_now(&self, data: Bytes) {
        // A full outbox loses echo, as a full terminal buffer does.
        let _ = data.is_empty() || self.outbox.push(self.stream, &data);
    }
}

impl Drop for OutWriter {
    fn drop(&mut self) {
        self.outbox.state.locked().writers -= 1;
        self.outbox.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    async fn rest(hold: Hold) -> (usize, Vec<ProcessEvent>) {
        let events: Vec<_> = hold.into_stream().map(Result::unwrap).collect().await;
        let bytes = events.iter().map(|event| match event {
            ProcessEvent::Output(_, data) => data.len(),
            ProcessEvent::Exited(_) => 0,
        });
        (bytes.sum(), events)
    }

    #[tokio::test]
    async fn without_a_reader_the_newest_output_and_the_end_are_kept() {
        let outbox = Outbox::new();
        let writer = outbox.writer(OutputStream::Stdout);
        drop(outbox.hold());
        for _ in 0..40 {
            writer.write(vec![b'x'; 16 << 10].into()).await;
        }
        outbox.exited(ExitStatus::from_code(3));
        drop(writer);
        let (bytes, events) = rest(outbox.hold()).await;
        assert_eq!(bytes, KEPT);
        let end = ProcessEvent::Exited(ExitStatus::from_code(3));
        assert_eq!(events.last(), Some(&end));
        assert!(outbox.is_read());
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_stops_the_writer_until_it_goes() {
        let outbox = Outbox::new();
        let writer = outbox.writer(OutputStream::Stdout);
        let stream = outbox.hold().into_stream();
        let writing = tokio::spawn(async move {
            for _ in 0..40 {
                writer.write(vec![b'x'; 16 << 10].into()).await;
            }
        });
        tokio::task::yield_now().await;
        assert!(!writing.is_finished());
        drop(stream);
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn a_new_holder_takes_the_stream_from_the_old() {
        let outbox = Outbox::new();
        let writer = outbox.writer(OutputStream::Stdout);
        let mut old = outbox.hold().into_stream();
        writer.write("for the new one".into()).await;
        let new = outbox.hold();
        assert!(old.next().await.is_none());
        drop(old);
        outbox.exited(ExitStatus::from_code(0));
        drop(writer);
        assert_eq!(rest(new).await.0, "for the new one".len());
    }
}
