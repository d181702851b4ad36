//! Streams inside a sandbox: two pipes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::waiters::Waiters;
use crate::kernel::{Account, Errno, PipeReader, PipeWriter, Ready, Result, pipe};
use crate::lock::Lock;

/// One end of a stream. What is on its way is charged to the sandbox's memory; dropping the end
/// closes both ways.
#[derive(Debug)]
pub(super) struct Duplex {
    reader: PipeReader,
    /// `None` once this way is closed.
    writer: Lock<Option<Arc<PipeWriter>>>,
    deaf: AtomicBool,
    /// Who waits here for what only closing this end can change.
    closing: Waiters,
}

impl Duplex {
    /// The two ends of a new stream.
    pub(super) fn pair(account: &Arc<Account>) -> (Self, Self) {
        let (near_reader, far_writer) = pipe(Arc::clone(account));
        let (far_reader, near_writer) = pipe(Arc::clone(account));
        (
            Self::new(near_reader, near_writer),
            Self::new(far_reader, far_writer),
        )
    }

    fn new(reader: PipeReader, writer: PipeWriter) -> Self {
        Self {
            reader,
            writer: Lock::new(Some(Arc::new(writer))),
            deaf: AtomicBool::new(false),
            closing: Waiters::default(),
        }
    }

    /// Receives; 0 at the end. With `peek` what is received stays.
    pub(super) fn poll_read(&self, cx: &Context<'_>, into: &mut [u8], peek: bool) -> Poll<usize> {
        self.closing.add(cx);
        if self.deaf.load(Ordering::Acquire) {
            return Poll::Ready(0);
        }
        if peek {
            return self.reader.poll_peek(cx, into);
        }
        self.reader.poll_read(cx, into)
    }

    /// Sends at least one byte.
    ///
    /// # Errors
    /// `PIPE` when this way is closed, at either end; `NOBUFS` when the sandbox has no memory for it.
    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.closing.add(cx);
        match self.writer() {
            Some(writer) => writer.poll_write(cx, bytes),
            None => Poll::Ready(Err(Errno::PIPE)),
        }
    }

    /// Waits until a read, or a write, would not wait.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, write: bool) -> Poll<Ready> {
        self.closing.add(cx);
        let closed = Poll::Ready((0, true));
        let looked = match (write, self.writer()) {
            (true, Some(writer)) => writer.poll_ready(cx),
            (true, None) => closed,
            (false, _) if self.deaf.load(Ordering::Acquire) => closed,
            (false, _) => self.reader.poll_ready(cx),
        };
        looked.map(|(bytes, hang_up)| Ready {
            bytes: bytes as u64,
            hang_up,
        })
    }

    /// Reads nothing more.
    pub(super) fn close_read(&self) {
        self.deaf.store(true, Ordering::Release);
        self.closing.notify();
    }

    /// Sends the end of the stream.
    pub(super) fn close_write(&self) {
        let writer = self.writer.lock().take();
        drop(writer);
        self.closing.notify();
    }

    fn writer(&self) -> Option<Arc<PipeWriter>> {
        self.writer.lock().clone()
    }
}
