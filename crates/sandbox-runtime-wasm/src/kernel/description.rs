//! Open file descriptions: what descriptors stand for.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::errno::Result;
use super::files::OpenHandle;
use super::output::OutputWriter;
use super::pipe::{PipeReader, PipeWriter};
use super::sources::Entropy;
use crate::lock::Lock;

/// What an open file is.
#[derive(Debug)]
pub(crate) enum Object {
    /// A regular file; the description's position is where it is read and written.
    File(OpenHandle),
    /// A directory.
    Directory(OpenHandle),
    /// The end of a pipe that reads.
    PipeReader(PipeReader),
    /// The end of a pipe that writes.
    PipeWriter(PipeWriter),
    /// `/dev/null`.
    Null,
    /// `/dev/zero`.
    Zero,
    /// `/dev/full`.
    Full,
    /// `/dev/random` and `/dev/urandom`.
    Random(Arc<dyn Entropy>),
    /// Standard output or error of a command of the host.
    Output(OutputWriter),
    /// A socket.
    Socket(Arc<dyn Socket>),
}

/// A socket as the descriptor calls see it. Dropping the last `Arc` closes it.
pub(crate) trait Socket: fmt::Debug + Send + Sync + 'static {
    /// Receives; 0 at the end of the stream.
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>>;
    /// Sends at least one byte.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>>;
    /// Receives as a read does; with `peek` it stays. Also answers whether a datagram was cut off.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<(usize, bool)>>;
    /// The oldest connection to a listener.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<Arc<dyn Socket>>>;
    /// Waits until a read (or, with `write`, a write) would not wait.
    fn poll_ready(&self, cx: &mut Context<'_>, write: bool) -> Poll<Ready>;
    /// Closes the way in, the way out, or both.
    fn shut_down(&self, read: bool, write: bool) -> Result<()>;
    /// Whether it is a stream; otherwise datagrams.
    fn is_stream(&self) -> bool;
    /// For the calls that only sockets have.
    fn as_any(&self) -> &dyn Any;
}

/// What a read or write would find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Bytes that can be read or written at once, where that is known; at least 1 otherwise.
    pub(crate) bytes: u64,
    /// Whether the other side is gone.
    pub(crate) hang_up: bool,
}

/// An open file description: the object, its position and flags. Descriptors share it through an
/// `Arc` (`dup`, inheritance); the last one closes it.
#[derive(Debug)]
pub(crate) struct Description {
    /// What is open.
    pub(crate) object: Object,
    /// Whether it may be read.
    pub(crate) read: bool,
    /// Whether it may be written.
    pub(crate) write: bool,
    /// Whether writes go to the end of a file. The file system's handle is not told: this changes.
    pub(crate) append: AtomicBool,
    /// Whether calls answer `AGAIN` where they would wait.
    pub(crate) nonblocking: AtomicBool,
    /// Where a file is read and written next.
    pub(crate) position: Lock<u64>,
}

impl Description {
    /// Whether reading and writing it can wait.
    pub(crate) fn is_stream(&self) -> bool {
        match self.object {
            Object::PipeReader(_)
            | Object::PipeWriter(_)
            | Object::Output(_)
            | Object::Socket(_) => true,
            Object::File(_)
            | Object::Directory(_)
            | Object::Null
            | Object::Zero
            | Object::Full
            | Object::Random(_) => false,
        }
    }

    /// An open object at position 0 that blocks.
    pub(crate) fn new(object: Object, read: bool, write: bool) -> Arc<Self> {
        Arc::new(Self {
            object,
            read,
            write,
            append: AtomicBool::new(false),
            nonblocking: AtomicBool::new(false),
            position: Lock::new(0),
        })
    }

    /// Whether calls answer `AGAIN` where they would wait.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Ordering::Relaxed)
    }

    /// The handle of a file or a directory.
    pub(crate) fn handle(&self) -> Option<&OpenHandle> {
        match &self.object {
            Object::File(handle) | Object::Directory(handle) => Some(handle),
            _ => None,
        }
    }
}
