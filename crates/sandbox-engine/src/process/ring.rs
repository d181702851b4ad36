//! The bounded memory of what a process said.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use sandbox_core::{ExitStatus, OutputStream};
use tokio::sync::{Notify, watch};

use super::OutputItem;
use crate::lock::Locked;

/// The largest chunk that is kept whole; longer output is cut into several.
const MAX_CHUNK: usize = 64 << 10;
/// What a chunk costs beyond its bytes, so that a process that writes single bytes is bounded too.
const CHUNK_OVERHEAD: usize = 64;
/// Up to this size a chunk is copied, because it may be a small part of a large buffer.
const COPY_BELOW: usize = 4 << 10;

/// A numbered piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number: grows by one with every chunk of the process; its exit has one too.
    pub seq: u64,
    /// Where it came from.
    pub stream: OutputStream,
    /// The bytes, never empty, at most 64 KiB.
    pub data: Bytes,
}

/// The last output of one process, and its end. One writer, any number of readers.
#[derive(Debug)]
pub(super) struct Ring {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// Wakes the writer that waits for a reader.
    room: Notify,
}

/// A reader that the writer waits for.
#[derive(Debug)]
struct Held {
    id: u64,
    /// What it wants next.
    next: u64,
}

#[derive(Debug)]
struct State {
    chunks: VecDeque<Chunk>,
    used: usize,
    capacity: usize,
    next_seq: u64,
    exit: Option<(u64, ExitStatus)>,
    closed: bool,
    held: Vec<Held>,
    next_held: u64,
}

/// What a reader finds at its position.
#[derive(Debug)]
pub(super) enum Found {
    Item(OutputItem),
    /// Nothing yet.
    Later,
    /// Nothing ever again.
    End,
}

impl Ring {
    /// A ring of `capacity` bytes whose first chunk is numbered `first_seq`.
    pub(super) fn new(capacity: usize, first_seq: u64) -> Self {
        Self {
            state: Mutex::new(State {
                chunks: VecDeque::new(),
                used: 0,
                capacity,
                next_seq: first_seq,
                exit: None,
                closed: false,
                held: Vec::new(),
                next_held: 0,
            }),
            changed: watch::Sender::new(()),
            room: Notify::new(),
        }
    }

    /// Keeps `data`. Waits while it would push out what a paced reader has not read.
    pub(super) async fn push(&self, stream: OutputStream, mut data: Bytes) {
        while !data.is_empty() {
            self.push_what_fits(stream, &mut data);
            self.changed.send_replace(());
            if !data.is_empty() {
                // A reader that moved on since leaves a permit, so that none is missed.
                self.room.notified().await;
            }
        }
    }

    fn push_what_fits(&self, stream: OutputStream, data: &mut Bytes) {
        let mut state = self.state.locked();
        // Small enough that the last of it is still there when the rest does not fit.
        let longest = (state.capacity / 4).clamp(1, MAX_CHUNK);
        while !data.is_empty() {
            let length = data.len().min(longest);
            if !state.has_room(length) {
                return;
            }
            state.push(stream, data.split_to(length));
        }
    }

    /// Holds the writer to a reader that wants what is numbered `next`.
    pub(super) fn hold(&self, next: u64) -> u64 {
        let mut state = self.state.locked();
        let id = state.next_held;
        state.next_held += 1;
        state.held.push(Held { id, next });
        id
    }

    pub(super) fn advance(&self, id: u64, next: u64) {
        if let Some(held) = self.state.locked().held.iter_mut().find(|one| one.id == id) {
            held.next = held.next.max(next);
        }
        self.room.notify_one();
    }

    pub(super) fn let_go(&self, id: u64) {
        self.state.locked().held.retain(|one| one.id != id);
        self.room.notify_one();
    }

    /// Notes the end of the process, once.
    pub(super) fn exited(&self, status: ExitStatus) {
        {
            let mut state = self.state.locked();
            if state.exit.is_some() {
                return;
            }
            state.exit = Some((state.next_seq, status));
            state.next_seq += 1;
        }
        self.changed.send_replace(());
    }

    /// Says that nothing more will come.
    pub(super) fn close(&self) {
        self.state.locked().closed = true;
        self.changed.send_replace(());
        self.room.notify_one();
    }

    pub(super) fn exit(&self) -> Option<ExitStatus> {
        self.state.locked().exit.map(|(_, status)| status)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.locked().closed
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The number that the next chunk will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.state.locked().next_seq
    }

    /// What is at `seq`, or the gap that begins there.
    pub(super) fn at(&self, seq: u64) -> Found {
        let state = self.state.locked();
        if seq >= state.next_seq {
            return match state.closed {
                true => Found::End,
                false => Found::Later,
            };
        }
        if let Some((at, status)) = state.exit
            && at == seq
        {
            return Found::Item(OutputItem::Exited { seq, status });
        }
        let after = state.chunks.partition_point(|chunk| chunk.seq < seq);
        let next = state.chunks.get(after).map(|chunk| chunk.seq);
        match state.chunks.get(after) {
            Some(chunk) if chunk.seq == seq => Found::Item(OutputItem::Output(chunk.clone())),
            Some(_) | None => Found::Item(state.gap(seq, next)),
        }
    }
}

impl State {
    /// Whether `length` more bytes push out nothing that a paced reader has not read.
    fn has_room(&self, length: usize) -> bool {
        let Some(wanted) = self.held.iter().map(|held| held.next).min() else {
            return true;
        };
        let mut used = self.used + length + CHUNK_OVERHEAD;
        let mut oldest = self.chunks.iter();
        while used > self.capacity {
            match oldest.next() {
                Some(chunk) if chunk.seq >= wanted => return self.closed,
                Some(chunk) => used -= chunk.data.len() + CHUNK_OVERHEAD,
                None => return true,
            }
        }
        true
    }

    fn push(&mut self, stream: OutputStream, data: Bytes) {
        let data = match data.len() {
            0..COPY_BELOW => Bytes::copy_from_slice(&data),
            _ => data,
        };
        self.used += data.len() + CHUNK_OVERHEAD;
        self.chunks.push_back(Chunk {
            seq: self.next_seq,
            stream,
            data,
        });
        self.next_seq += 1;
        while self.used > self.capacity {
            let Some(oldest) = self.chunks.pop_front() else {
                return;
            };
            self.used -= oldest.data.len() + CHUNK_OVERHEAD;
        }
    }

    /// The numbers from `from` on that are no longer there; the exit always is.
    fn gap(&self, from: u64, next_chunk: Option<u64>) -> OutputItem {
        let next_exit = self.exit.map(|(at, _)| at).filter(|at| *at > from);
        let next = next_chunk.into_iter().chain(next_exit).min();
        OutputItem::Gap {
            from,
            to: next.unwrap_or(self.next_seq) - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::process::pace::Pace;

    fn ring(chunks: usize) -> Ring {
        Ring::new(chunks * (40 + CHUNK_OVERHEAD), 1)
    }

    /// Pushes what nobody has to be waited for.
    fn push_now(ring: &Ring, stream: OutputStream, data: impl Into<Bytes>) {
        let pushed = ring.push(stream, data.into()).now_or_never();
        pushed.expect("nobody holds it up");
    }

    fn push(ring: &Ring, byte: u8) {
        push_now(ring, OutputStream::Stdout, vec![byte; 40]);
    }

    fn seq_at(ring: &Ring, seq: u64) -> Result<u64, (u64, u64)> {
        match ring.at(seq) {
            Found::Item(OutputItem::Output(chunk)) => Ok(chunk.seq),
            Found::Item(OutputItem::Gap { from, to }) => Err((from, to)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_oldest_output_goes_first_and_leaves_a_gap_that_says_so() {
        let ring = ring(3);
        (0..5).for_each(|byte| push(&ring, byte));
        assert_eq!(seq_at(&ring, 1), Err((1, 2)));
        assert_eq!(seq_at(&ring, 3), Ok(3));
        assert_eq!(seq_at(&ring, 5), Ok(5));
        assert!(matches!(ring.at(6), Found::Later));
    }

    #[test]
    fn the_exit_is_never_dropped_and_stands_where_it_happened() {
        let ring = ring(2);
        push(&ring, 0);
        ring.exited(ExitStatus::from_code(3));
        ring.exited(ExitStatus::lost());
        (0..4).for_each(|byte| push(&ring, byte));
        ring.close();
        assert_eq!(seq_at(&ring, 1), Err((1, 1)));
        let Found::Item(OutputItem::Exited { seq: 2, status }) = ring.at(2) else {
            panic!("no exit");
        };
        assert_eq!(status, ExitStatus::from_code(3));
        assert_eq!(seq_at(&ring, 3), Err((3, 4)));
        assert_eq!(seq_at(&ring, 5), Ok(5));
        assert!(matches!(ring.at(7), Found::End));
    }

    #[test]
    fn a_flood_of_single_bytes_is_bounded_by_memory_and_not_by_bytes() {
        let ring = Ring::new(1 << 20, 1);
        for _ in 0..100_000 {
            push_now(&ring, OutputStream::Pty, Bytes::from_static(b"x"));
        }
        assert!(ring.state.locked().chunks.len() <= (1 << 20) / CHUNK_OVERHEAD);
    }

    #[test]
    fn the_end_of_output_that_is_longer_than_the_ring_is_kept() {
        let ring = Ring::new(1_000, 1);
        push_now(&ring, OutputStream::Stdout, vec![7; 64_000]);
        assert!(seq_at(&ring, ring.next_seq() - 1).is_ok());
    }

    #[test]
    fn long_output_is_cut_and_loses_no_byte() {
        let ring = Ring::new(1 << 20, 1);
        let data: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        push_now(&ring, OutputStream::Stdout, data.clone());
        let mut read = Vec::new();
        for seq in 1..ring.next_seq() {
            let Found::Item(OutputItem::Output(chunk)) = ring.at(seq) else {
                panic!("a gap");
            };
            assert!(chunk.data.len() <= MAX_CHUNK);
            read.extend_from_slice(&chunk.data);
        }
        assert_eq!(read, data);
    }

    /// Reads everything that is there, and says what the reader wants next.
    fn read_all(ring: &Ring, read: &mut Vec<u8>, mut next: u64) -> u64 {
        while let Found::Item(item) = ring.at(next) {
            let OutputItem::Output(chunk) = item else {
                panic!("{item:?}");
            };
            read.extend_from_slice(&chunk.data);
            next = chunk.seq + 1;
        }
        next
    }

    #[test]
    fn a_paced_reader_misses_nothing_however_much_is_written() {
        let ring = Arc::new(Ring::new(1_000, 1));
        let pace = Pace::new(&ring, 1);
        let data: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
        let mut pushing = Box::pin(ring.push(OutputStream::Stdout, data.clone().into()));
        let (mut read, mut next) = (Vec::new(), 1);
        while pushing.as_mut().now_or_never().is_none() {
            assert!(ring.state.locked().used <= 1_000, "what is kept is bounded");
            next = read_all(&ring, &mut read, next);
            pace.advance(next);
        }
        read_all(&ring, &mut read, next);
        assert!(read == data);
    }

    #[test]
    fn a_paced_reader_that_leaves_holds_nothing_up() {
        let ring = Arc::new(Ring::new(1_000, 1));
        let (one, other) = (Pace::new(&ring, 1), Pace::new(&ring, 1));
        let mut pushing = Box::pin(ring.push(OutputStream::Stdout, vec![7; 50_000].into()));
        assert!(pushing.as_mut().now_or_never().is_none());
        drop(one);
        assert!(pushing.as_mut().now_or_never().is_none(), "the other waits");
        drop(other);
        assert!(pushing.as_mut().now_or_never().is_some());
    }

    #[test]
    fn nobody_waits_for_a_paced_reader_once_nothing_more_comes() {
        let ring = Arc::new(Ring::new(1_000, 1));
        let _pace = Pace::new(&ring, 1);
        let mut pushing = Box::pin(ring.push(OutputStream::Stdout, vec![7; 50_000].into()));
        assert!(pushing.as_mut().now_or_never().is_none());
        ring.close();
        assert!(pushing.as_mut().now_or_never().is_some());
    }
}
