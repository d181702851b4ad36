//! Datagrams inside a sandbox, until somebody receives them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use super::waiters::Waiters;
use crate::kernel::{Account, Charge};
use crate::lock::Lock;

/// Bytes that wait for one socket; more are lost, as datagrams are.
const INBOX_BYTES: usize = 256 << 10;
/// What a datagram takes besides its bytes, at the most.
const OVERHEAD: usize = 192;

/// Where a bound socket's datagrams wait.
#[derive(Debug)]
pub(super) struct Inbox {
    account: Arc<Account>,
    readers: Arc<Waiters>,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Datagram>,
    bytes: usize,
    /// The only one whose datagrams are taken, once the socket is connected.
    only: Option<SocketAddr>,
}

#[derive(Debug)]
struct Datagram {
    from: SocketAddr,
    bytes: Box<[u8]>,
    _charge: Charge,
}

/// What was received: the bytes copied, and who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes copied.
    pub(crate) count: usize,
    /// Whether the datagram was longer than there was room for.
    pub(crate) truncated: bool,
    /// The sender.
    pub(crate) from: SocketAddr,
}

impl Inbox {
    pub(super) fn new(account: Arc<Account>, readers: Arc<Waiters>) -> Arc<Self> {
        Arc::new(Self {
            account,
            readers,
            state: Lock::default(),
        })
    }

    /// Takes datagrams of `only` from now on, or of everybody. What waits from others is lost.
    pub(super) fn set_only(&self, only: Option<SocketAddr>) {
        let mut state = self.state.lock();
        state.only = only;
        if let Some(only) = only {
            let State { waiting, bytes, .. } = &mut *state;
            waiting.retain(|datagram| datagram.from == only);
            *bytes = waiting.iter().map(Datagram::size).sum();
        }
    }

    /// Leaves a datagram. `false`: nobody here takes it. One there is no room for is lost.
    pub(super) fn deliver(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.only.is_some_and(|only| only != from) {
            return false;
        }
        let size = bytes.len() + OVERHEAD;
        if state.bytes + size > INBOX_BYTES {
            return true;
        }
        let Some(charge) = Charge::take(&self.account, size as u64) else {
            return true;
        };
        state.bytes += size;
        state.waiting.push_back(Datagram {
            from,
            bytes: bytes.into(),
            _charge: charge,
        });
        drop(state);
        self.readers.notify();
        true
    }

    /// The oldest datagram, as much of it as there is room for; the rest of it is lost. With `peek`
    /// all of it stays. Whoever waits is among the readers already.
    pub(super) fn poll_receive(&self, into: &mut [u8], peek: bool) -> Poll<Received> {
        let mut state = self.state.lock();
        let Some(datagram) = state.waiting.front() else {
            return Poll::Pending;
        };
        let count = datagram.bytes.len().min(into.len());
        into[..count].copy_from_slice(&datagram.bytes[..count]);
        let received = Received {
            count,
            truncated: count < datagram.bytes.len(),
            from: datagram.from,
        };
        if !peek {
            state.bytes -= datagram.size();
            state.waiting.pop_front();
        }
        Poll::Ready(received)
    }

    /// The bytes of the oldest datagram.
    pub(super) fn next_bytes(&self) -> Option<usize> {
        let state = self.state.lock();
        state.waiting.front().map(|datagram| datagram.bytes.len())
    }
}

impl Datagram {
    fn size(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}
