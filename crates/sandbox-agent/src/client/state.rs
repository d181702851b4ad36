//! What all handles of a client share: the open channels, and what is to be sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{Error, ErrorKind, Result};
use tokio::io::AsyncWrite;
use tokio::sync::{Notify, watch};

use super::ClientOptions;
use super::channel::Channel;
use super::outbox::State;
use crate::protocol::{MAX_CHANNELS, Packet};

/// How long an acknowledgement waits for company.
pub(super) const LAZY: Duration = Duration::from_millis(20);

/// Why a client was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    kind: ErrorKind,
    message: String,
}

impl Reason {
    pub(crate) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
        }
    }

    pub(crate) fn error(&self, operation: &'static str) -> Error {
        Error::new(self.kind, operation, self.message.clone())
    }
}

/// Where the link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Down,
    Up(u64),
    Closed(Reason),
}

/// The writing side of the link.
pub(crate) struct Writer {
    pub(crate) lease: u64,
    io: Box<dyn AsyncWrite + Send + Unpin>,
    buffer: Vec<u8>,
    written: usize,
    /// The writer task waits for room; nobody else needs to try.
    blocked: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

/// What all handles of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    writer: Mutex<Option<Writer>>,
    /// Wakes the task that writes.
    pub(crate) wake_writer: Notify,
    /// Wakes the task that acknowledges after a while.
    pub(crate) wake_lazy: Notify,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) options: ClientOptions,
}

/// Locks, whatever happened to the thread that held it last: every change is complete in itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(options: ClientOptions) -> Self {
        Self {
            state: Mutex::new(State::new()),
            writer: Mutex::new(None),
            wake_writer: Notify::new(),
            wake_lazy: Notify::new(),
            phase: watch::Sender::new(Phase::Down),
            options,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Does something with a channel, if it is still open.
    pub(crate) fn with<T>(&self, channel: u32, act: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        self.state().channels.get_mut(&channel).map(act)
    }

    pub(crate) fn closed_reason(&self) -> Option<Reason> {
        match &*self.phase.borrow() {
            Phase::Closed(reason) => Some(reason.clone()),
            Phase::Down | Phase::Up(_) => None,
        }
    }

    pub(crate) async fn closed(&self) -> Error {
        let mut phase = self.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = phase
            .wait_for(|phase| matches!(phase, Phase::Closed(_)))
            .await;
        let reason = self.closed_reason().unwrap_or(Reason {
            kind: ErrorKind::Unavailable,
            message: "the client was closed".into(),
        });
        reason.error("agent.closed")
    }

    /// Closes the client; the first reason counts.
    pub(crate) fn close(&self, error: &Error) {
        let reason = Reason::of(error);
        let first = self.phase.send_if_modified(|phase| {
            let open = !matches!(phase, Phase::Closed(_));
            if open {
                *phase = Phase::Closed(reason.clone());
            }
            open
        });
        if !first {
            return;
        }
        *lock(&self.writer) = None;
        let mut state = self.state();
        state.clear_queues();
        for channel in state.channels.values_mut() {
            channel.fail(&reason);
        }
    }

    /// Waits for the link, at most as long as the options say.
    pub(crate) async fn wait_for_link(&self, operation: &'static str) -> Result<()> {
        if matches!(&*self.phase.borrow(), Phase::Up(_)) {
            return Ok(());
        }
        let mut phase = self.phase.subscribe();
        let up = phase.wait_for(|phase| !matches!(phase, Phase::Down));
        match tokio::time::timeout(self.options.wait_for_link, up).await {
            Ok(Ok(phase)) => match &*phase {
                Phase::Closed(reason) => Err(reason.error(operation)),
                Phase::Down | Phase::Up(_) => Ok(()),
            },
            Ok(Err(_)) | Err(_) => {
                let message = "the link to the sandbox's agent is broken; it is being opened again";
                Err(Error::new(ErrorKind::Unavailable, operation, message))
            }
        }
    }

    /// Opens a channel with `request`.
    pub(crate) fn open(
        &self,
        operation: &'static str,
        channel: Channel,
        request: Bytes,
    ) -> Result<u32> {
        let mut state = self.state();
        if let Some(reason) = self.closed_reason() {
            return Err(reason.error(operation));
        }
        if state.channels.len() >= MAX_CHANNELS {
            let message = format!("{MAX_CHANNELS} requests are under way; that is the limit");
            return Err(Error::new(ErrorKind::LimitExceeded, operation, message));
        }
        let number = state.free_number();
        state.channels.insert(number, channel);
        state.request(number, request);
        Ok(number)
    }

    /// Says that there is something to send, and sends it right away where that is possible:
    /// another task would take longer to wake up.
    pub(crate) fn kick(&self) {
        let Ok(mut writer) = self.writer.try_lock() else {
            // Whoever writes now may have looked already.
            self.wake_writer.notify_one();
            return;
        };
        let Some(writer) = writer.as_mut().filter(|writer| !writer.blocked) else {
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        match self.write(writer, &mut context) {
            Poll::Ready(Ok(())) => {}
            // The task waits, or sees the same failure and acts on it.
            Poll::Pending | Poll::Ready(Err(_)) => {
                writer.blocked = true;
                self.wake_writer.notify_one();
            }
        }
    }

    /// Writes everything there is. For the writer task, which is woken when there is room.
    pub(crate) fn poll_write_all(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut writer = lock(&self.writer);
        let Some(writer) = writer.as_mut() else {
            return Poll::Ready(Ok(()));
        };
        let result = self.write(writer, context);
        writer.blocked = result.is_pending();
        result
    }

    fn write(&self, writer: &mut Writer, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if writer.written == writer.buffer.len() {
                writer.buffer.clear();
                writer.written = 0;
                self.state().fill(writer.lease, &mut writer.buffer);
                if writer.buffer.is_empty() {
                    return std::pin::Pin::new(&mut writer.io).poll_flush(context);
                }
            }
            let rest = &writer.buffer[writer.written..];
            let written = match std::pin::Pin::new(&mut writer.io).poll_write(context, rest) {
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            writer.written += written;
        }
    }

    /// Takes a new link into use.
    pub(crate) fn link_up(&self, lease: u64, io: Box<dyn AsyncWrite + Send + Unpin>) {
        *lock(&self.writer) = Some(Writer {
            lease,
            io,
            buffer: Vec::new(),
            written: 0,
            blocked: false,
        });
        self.phase.send_if_modified(|phase| {
            let open = !matches!(phase, Phase::Closed(_));
            if open {
                *phase = Phase::Up(lease);
            }
            open
        });
        if self.closed_reason().is_some() {
            *lock(&self.writer) = None;
        }
        self.wake_writer.notify_one();
    }

    /// Gives a broken link up. What nobody has answered yet, nobody will.
    pub(crate) fn link_down(&self, why: &Reason) {
        *lock(&self.writer) = None;
        self.phase.send_if_modified(|phase| {
            let up = matches!(phase, Phase::Up(_));
            if up {
                *phase = Phase::Down;
            }
            up
        });
        let mut state = self.state();
        state.clear_queues();
        for channel in state.channels.values_mut() {
            if !channel.is_answered() {
                channel.fail(why);
            }
        }
    }

    /// Takes a packet from the agent.
    ///
    /// # Errors
    /// What it did that the protocol forbids.
    pub(crate) fn take(&self, packet: Packet) -> Result<(), &'static str> {
        let number = packet.header.channel;
        let mut state = self.state();
        let Some(channel) = state.channels.get_mut(&number) else {
            return Ok(());
        };
        channel.take(packet)?;
        let (sends, discards) = (channel.has_data(), channel.is_discarding());
        if sends {
            state.make_ready(number);
        }
        if discards {
            // Nobody takes it in, so nobody else says that it was.
            state.acknowledge_later(number);
        }
        drop(state);
        if sends || discards {
            self.wake_writer.notify_one();
        }
        Ok(())
    }
}
