//! A remote process.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use sandbox_api_types::ProcessRef;
use sandbox_core::{
    BoxStream, Error, ErrorKind, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result, Signal,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::link::{Follower, Link, Numbered};
use super::positions::{Position, Positions};
use super::stdin::{Kind, StdinPipe};
use crate::{Attachment, SandboxCalls};

/// How many pieces of output are taken from the server before anybody reads them.
const AHEAD: usize = 16;

/// A process of a remote sandbox.
pub(super) struct RemoteProcess {
    held: Arc<Held>,
    events: Mutex<Option<mpsc::Receiver<Numbered>>>,
    has_terminal: bool,
}

/// What the handle and the stream of events hold: while either is there, the process is followed.
struct Held {
    pid: Pid,
    link: Arc<Link>,
    positions: Positions,
    _following: DropGuard,
}

impl Drop for Held {
    fn drop(&mut self) {
        let ProcessRef::Id(process) = &self.link.process else {
            return;
        };
        if self.link.has_ended() {
            self.positions.forget(self.pid);
            return;
        }
        let position = Position {
            process: process.clone(),
            next: self.link.read_to.load(Ordering::Relaxed),
        };
        self.positions.keep(self.pid, position);
    }
}

impl fmt::Debug for RemoteProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteProcess")
            .field("sandbox", self.held.link.calls.id())
            .field("process", &self.held.link.process)
            .field("pid", &self.held.pid)
            .finish_non_exhaustive()
    }
}

impl RemoteProcess {
    /// Follows the process that `attachment` is to, of which everything before `next` was read;
    /// `None` where nobody knows what was.
    pub(super) fn follow(
        calls: SandboxCalls,
        attachment: Attachment,
        positions: Positions,
        next: Option<u64>,
        patience: Duration,
    ) -> Self {
        let (begun, next) = (next.is_some(), next.unwrap_or(0));
        let process = attachment.process().clone();
        let (input, output) = attachment.split();
        let kind = match (process.pty, process.stdin) {
            (Some(_), _) => Kind::Terminal,
            (None, true) => Kind::Pipe,
            (None, false) => Kind::Closed,
        };
        let link = Arc::new(Link {
            calls,
            process: ProcessRef::Id(process.id),
            stdin: StdinPipe::new(kind, input),
            end: watch::Sender::new(None),
            read_to: AtomicU64::new(next),
            patience,
        });
        let (sender, receiver) = mpsc::channel(AHEAD);
        let stop = CancellationToken::new();
        let follower = Follower {
            link: Arc::clone(&link),
            output,
            events: Some(sender),
            stop: stop.clone(),
            next,
            begun,
        };
        tokio::spawn(follower.run());
        Self {
            held: Arc::new(Held {
                pid: process.pid,
                link,
                positions,
                _following: stop.drop_guard(),
            }),
            events: Mutex::new(Some(receiver)),
            has_terminal: process.pty.is_some(),
        }
    }
}

/// The events of a process. They go on without its handle.
struct Events {
    receiver: mpsc::Receiver<Numbered>,
    held: Arc<Held>,
}

impl Stream for Events {
    type Item = Result<ProcessEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(cx).map(|event| {
            Some(event?.map(|(seq, event)| {
                self.held.link.was_read(seq);
                event
            }))
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for RemoteProcess {
    fn pid(&self) -> Pid {
        self.held.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = events.take()?;
        let held = Arc::clone(&self.held);
        Some(Box::pin(Events { receiver, held }))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.held.link.stdin.write(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.held.link.stdin.close().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        self.held.link.wait().await
    }

    /// Goes past the connection of the process, so that input that it does not take holds nothing
    /// up.
    async fn signal(&self, signal: Signal) -> Result<()> {
        let link = &self.held.link;
        if link.has_ended() {
            let message = "the process has ended";
            return Err(Error::new(ErrorKind::NotFound, "remote.signal", message));
        }
        link.calls.signal_process(&link.process, signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let link = &self.held.link;
        if !self.has_terminal {
            let message = "the process has no terminal";
            return Err(Error::new(ErrorKind::Conflict, "remote.resize", message));
        }
        link.calls.resize_process(&link.process, size).await
    }
}
