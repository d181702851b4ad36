//! Sockets that listen, inside a sandbox.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::duplex::Duplex;
use super::limit::Slot;
use crate::kernel::wakers::Wakers;
use crate::kernel::{Account, Errno, Result};
use crate::lock::Lock;

/// The most connections that wait to be accepted, whatever a guest asks for.
pub(super) const MAX_BACKLOG: u32 = 128;

/// A queue of connections nobody has accepted yet.
#[derive(Debug)]
pub(super) struct Listener {
    account: Arc<Account>,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Incoming>,
    backlog: usize,
    closed: bool,
    acceptors: Wakers,
    callers: Wakers,
}

/// The listener's end of a new connection.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) stream: Duplex,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    /// Its place among the sandbox's sockets.
    pub(super) slot: Slot,
}

impl Listener {
    pub(super) fn new(account: Arc<Account>, backlog: u32) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            backlog: at_least_one(backlog),
            closed: false,
            acceptors: Wakers::new(),
            callers: Wakers::new(),
        };
        Arc::new(Self {
            account,
            state: Lock::new(state),
        })
    }

    /// Changes how many may wait.
    pub(super) fn set_backlog(&self, backlog: u32) {
        let mut state = self.state.lock();
        state.backlog = at_least_one(backlog);
        let callers = state.callers.take();
        drop(state);
        callers.wake();
    }

    /// Puts a new connection from `peer` to `local` in the queue; waits while the queue is full.
    ///
    /// # Errors
    /// `CONNREFUSED` when nobody listens any more; what `slot` fails with.
    pub(super) fn poll_connect(
        &self,
        cx: &Context<'_>,
        peer: SocketAddr,
        local: SocketAddr,
        slot: impl FnOnce() -> Result<Slot>,
    ) -> Poll<Result<Duplex>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Err(Errno::CONNREFUSED));
        }
        if state.waiting.len() >= state.backlog {
            state.callers.add(cx);
            return Poll::Pending;
        }
        let slot = slot()?;
        let (near, far) = Duplex::pair(&self.account);
        state.waiting.push_back(Incoming {
            stream: far,
            local,
            peer,
            slot,
        });
        let acceptors = state.acceptors.take();
        drop(state);
        acceptors.wake();
        Poll::Ready(Ok(near))
    }

    /// The oldest connection; waits for one.
    ///
    /// # Errors
    /// `INVAL` when it was closed.
    pub(super) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<Incoming>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Err(Errno::INVAL));
        }
        let Some(incoming) = state.waiting.pop_front() else {
            state.acceptors.add(cx);
            return Poll::Pending;
        };
        let callers = state.callers.take();
        drop(state);
        callers.wake();
        Poll::Ready(Ok(incoming))
    }

    /// Waits until there is a connection; how many there are, and whether it was closed.
    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<(usize, bool)> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() && !state.closed {
            state.acceptors.add(cx);
            return Poll::Pending;
        }
        Poll::Ready((state.waiting.len(), state.closed))
    }

    /// Refuses who waits and who comes.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let (acceptors, callers) = (state.acceptors.take(), state.callers.take());
        drop(state);
        drop(waiting);
        acceptors.wake();
        callers.wake();
    }
}

fn at_least_one(backlog: u32) -> usize {
    backlog.clamp(1, MAX_BACKLOG) as usize
}
