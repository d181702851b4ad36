//! Pipes: bytes from writers to readers through a bounded buffer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::account::Account;
use super::errno::{Errno, Result};
use super::wakers::Wakers;
use crate::lock::Lock;

/// Bytes a pipe holds before its writers wait.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// Writes of at most this many bytes go in whole or not at all, as `PIPE_BUF` has it.
pub(crate) const PIPE_ATOMIC_BYTES: usize = 4096;

#[derive(Debug)]
struct Pipe {
    state: Lock<State>,
    /// What waits in the pipe is charged here.
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct State {
    buffer: VecDeque<u8>,
    /// Whether an end is still held. Its copies are one `Arc` of the holder's.
    reader: bool,
    writer: bool,
    read_wakers: Wakers,
    write_wakers: Wakers,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let left = self.state.lock().buffer.len();
        self.account.uncharge(left as u64);
    }
}

/// The end that reads. Dropping it breaks the pipe.
#[derive(Debug)]
pub(crate) struct PipeReader(Arc<Pipe>);

/// The end that writes. Dropping it ends the stream.
#[derive(Debug)]
pub(crate) struct PipeWriter(Arc<Pipe>);

/// A new pipe whose content is charged to `account`.
pub(crate) fn pipe(account: Arc<Account>) -> (PipeReader, PipeWriter) {
    let pipe = Arc::new(Pipe {
        state: Lock::new(State {
            reader: true,
            writer: true,
            ..State::default()
        }),
        account,
    });
    (PipeReader(pipe.clone()), PipeWriter(pipe))
}

impl PipeReader {
    /// Reads what is there; waits while there is nothing, 0 at the end of the stream.
    pub(crate) fn poll_read(&self, cx: &Context<'_>, into: &mut [u8]) -> Poll<usize> {
        let mut state = self.0.state.lock();
        if state.buffer.is_empty() {
            if state.writer && !into.is_empty() {
                state.read_wakers.add(cx);
                return Poll::Pending;
            }
            return Poll::Ready(0);
        }
        let count = copy(&state.buffer, into);
        state.buffer.drain(..count);
        if state.buffer.is_empty() {
            // An idle pipe holds no memory.
            state.buffer = VecDeque::new();
        }
        let wakers = state.write_wakers.take();
        drop(state);
        self.0.account.uncharge(count as u64);
        wakers.wake();
        Poll::Ready(count)
    }

    /// What a read would find; it stays. Waits as a read does.
    pub(crate) fn poll_peek(&self, cx: &Context<'_>, into: &mut [u8]) -> Poll<usize> {
        let mut state = self.0.state.lock();
        if state.buffer.is_empty() && state.writer && !into.is_empty() {
            state.read_wakers.add(cx);
            return Poll::Pending;
        }
        Poll::Ready(copy(&state.buffer, into))
    }

    /// Waits until a read would not; the bytes that are there, and whether no writer is left.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<(usize, bool)> {
        let mut state = self.0.state.lock();
        if state.buffer.is_empty() && state.writer {
            state.read_wakers.add(cx);
            return Poll::Pending;
        }
        Poll::Ready((state.buffer.len(), !state.writer))
    }
}

/// Copies the first bytes of `buffer` that fit; how many.
fn copy(buffer: &VecDeque<u8>, into: &mut [u8]) -> usize {
    let (front, back) = buffer.as_slices();
    let first = front.len().min(into.len());
    into[..first].copy_from_slice(&front[..first]);
    let second = back.len().min(into.len() - first);
    into[first..first + second].copy_from_slice(&back[..second]);
    first + second
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.reader = false;
        let left = std::mem::take(&mut state.buffer).len();
        let wakers = state.write_wakers.take();
        drop(state);
        self.0.account.uncharge(left as u64);
        wakers.wake();
    }
}

impl PipeWriter {
    /// Writes what fits, at least one byte; waits while the pipe is full, and for the whole of a
    /// write of at most [`PIPE_ATOMIC_BYTES`] to fit.
    ///
    /// # Errors
    /// `PIPE` when no reader is left, `NOBUFS` when the sandbox has no memory for it.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let mut state = self.0.state.lock();
        if !state.reader {
            return Poll::Ready(Err(Errno::PIPE));
        }
        let room = PIPE_BYTES - state.buffer.len();
        let count = room.min(bytes.len());
        let split = count < bytes.len() && bytes.len() <= PIPE_ATOMIC_BYTES;
        if !bytes.is_empty() && (count == 0 || split) {
            state.write_wakers.add(cx);
            return Poll::Pending;
        }
        if !self.0.account.charge(count as u64) {
            return Poll::Ready(Err(Errno::NOBUFS));
        }
        state.buffer.extend(&bytes[..count]);
        let wakers = state.read_wakers.take();
        drop(state);
        wakers.wake();
        Poll::Ready(Ok(count))
    }

    /// Waits until a write would not; the bytes that fit, and whether no reader is left.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<(usize, bool)> {
        let mut state = self.0.state.lock();
        let room = PIPE_BYTES - state.buffer.len();
        if room < PIPE_ATOMIC_BYTES && state.reader {
            state.write_wakers.add(cx);
            return Poll::Pending;
        }
        Poll::Ready((room, !state.reader))
    }

    /// Whether no reader is left.
    pub(crate) fn is_broken(&self) -> bool {
        !self.0.state.lock().reader
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.writer = false;
        let wakers = state.read_wakers.take();
        drop(state);
        wakers.wake();
    }
}
