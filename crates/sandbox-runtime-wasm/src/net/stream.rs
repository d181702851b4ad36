//! Stream sockets: what one is, from opened to connected or listening.

use std::future::Future;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::time::Sleep;

use super::address::{self, Family};
use super::duplex::Duplex;
use super::gate::Transport;
use super::host_stream::HostStream;
use super::limit::Slot;
use super::listener::Listener;
use super::network::Network;
use super::ports::{Bound, Kind};
use super::waiters::Waiters;
use crate::kernel::{Account, Errno, Ready, Result};
use crate::lock::Lock;

/// A stream socket of a guest.
#[derive(Debug)]
pub(super) struct StreamSocket {
    network: Arc<Network>,
    account: Arc<Account>,
    family: Family,
    state: Lock<State>,
    /// Who waits in a state that another call may change.
    changed: Arc<Waiters>,
    _slot: Slot,
}

#[derive(Debug)]
enum State {
    Idle(Option<Bound>),
    Listening(Arc<Listener>, Bound),
    /// For room in a listener's queue.
    Queueing(Queueing),
    Connecting(Arc<HostStream>, Ends),
    /// The next call is told.
    Failed(Errno),
    Connected(Carrier, Arc<Ends>),
}

#[derive(Debug)]
struct Queueing {
    ends: Ends,
    timeout: Pin<Box<Sleep>>,
}

/// What a connection is made of.
#[derive(Debug, Clone)]
enum Carrier {
    Inside(Arc<Duplex>),
    Outside(Arc<HostStream>),
}

#[derive(Debug)]
struct Ends {
    local: SocketAddr,
    peer: SocketAddr,
    /// The port that was asked for, taken while the connection is there.
    _bound: Option<Bound>,
}

impl StreamSocket {
    pub(super) fn open(
        network: &Arc<Network>,
        account: &Arc<Account>,
        family: Family,
    ) -> Result<Self> {
        let slot = network.sockets().take()?;
        Ok(Self::with(
            network,
            account,
            family,
            State::Idle(None),
            slot,
        ))
    }

    fn with(
        network: &Arc<Network>,
        account: &Arc<Account>,
        family: Family,
        state: State,
        slot: Slot,
    ) -> Self {
        Self {
            network: Arc::clone(network),
            account: Arc::clone(account),
            family,
            state: Lock::new(state),
            changed: Arc::default(),
            _slot: slot,
        }
    }

    /// Takes the port of `address`.
    ///
    /// # Errors
    /// `AFNOSUPPORT`, `INVAL` when it is bound or connected already, and as [`Bound::take`].
    pub(super) fn bind(&self, address: SocketAddr) -> Result<()> {
        let address = self.family.take(address)?;
        let mut state = self.state.lock();
        match &*state {
            State::Idle(None) => {
                let bound = Bound::take(&self.network, Kind::Tcp, address)?;
                *state = State::Idle(Some(bound));
                Ok(())
            }
            _ => Err(Errno::INVAL),
        }
    }

    /// Listens; an unbound socket takes any port.
    ///
    /// # Errors
    /// `INVAL` for a socket that connects or is connected; as [`Bound::take`].
    pub(super) fn listen(&self, backlog: u32) -> Result<()> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Listening(listener, _) => listener.set_backlog(backlog),
            State::Idle(bound) => {
                let bound = match bound.take() {
                    Some(bound) => bound,
                    None => {
                        let any = SocketAddr::new(self.family.unspecified(), 0);
                        Bound::take(&self.network, Kind::Tcp, any)?
                    }
                };
                let listener = Listener::new(Arc::clone(&self.account), backlog);
                bound.listen(&listener);
                *state = State::Listening(listener, bound);
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(())
    }

    /// Begins to connect to `to`; [`poll_connected`](Self::poll_connected) tells how it ends.
    ///
    /// # Errors
    /// `ACCES` when the policy denies it; `ISCONN`, `ALREADY`, `INVAL` where this socket is no longer
    /// free to; `CONNREFUSED` and what connecting fails with at once.
    pub(super) fn begin_connect(&self, to: SocketAddr) -> Result<()> {
        let to = self.family.take(to)?;
        let mut state = self.state.lock();
        let bound = match &mut *state {
            State::Idle(bound) => bound.take(),
            State::Failed(errno) => {
                let errno = *errno;
                *state = State::Idle(None);
                return Err(errno);
            }
            State::Connected(..) => return Err(Errno::ISCONN),
            State::Queueing(_) | State::Connecting(..) => return Err(Errno::ALREADY),
            State::Listening(..) => return Err(Errno::INVAL),
        };
        match self.reach(to, bound) {
            Ok(reached) => {
                *state = reached;
                Ok(())
            }
            // A port that was bound is given back: there is no second try from it.
            Err(errno) => Err(errno),
        }
    }

    fn reach(&self, to: SocketAddr, bound: Option<Bound>) -> Result<State> {
        let network = &self.network;
        network.gate().admit(Transport::Tcp, to, true, |permit| {
            let peer = permit.address();
            let from_loopback = bound
                .as_ref()
                .is_some_and(|bound| bound.address().ip().is_loopback());
            let source = match &bound {
                Some(bound) => bound.address().port(),
                None => network.ports().source(),
            };
            if permit.is_inside() {
                let local = SocketAddr::new(peer.ip(), source);
                let ends = Ends {
                    local,
                    peer,
                    _bound: bound,
                };
                return self.call(ends, None);
            }
            // What is bound to loopback has no way out.
            if from_loopback {
                return Err(Errno::INVAL);
            }
            let local = SocketAddr::new(Family::of(peer.ip()).unspecified(), source);
            let ends = Ends {
                local,
                peer,
                _bound: bound,
            };
            let stream = HostStream::connect(network, permit)?;
            Ok(State::Connecting(stream, ends))
        })
    }

    /// Asks whoever listens where `ends` lead, once.
    fn call(&self, ends: Ends, cx: Option<&Context<'_>>) -> Result<State> {
        let listener = self.network.ports().listener(ends.peer);
        let listener = listener.ok_or(Errno::CONNREFUSED)?;
        let noop = Context::from_waker(Waker::noop());
        let slot = || self.network.sockets().take();
        let called = listener.poll_connect(cx.unwrap_or(&noop), ends.local, ends.peer, slot);
        match called {
            Poll::Ready(stream) => {
                let carrier = Carrier::Inside(Arc::new(stream?));
                Ok(State::Connected(carrier, Arc::new(ends)))
            }
            Poll::Pending => {
                let hub = self.network.hub();
                let timeout = hub.sleep(hub.connect_timeout)?;
                Ok(State::Queueing(Queueing { ends, timeout }))
            }
        }
    }

    /// Waits until what [`begin_connect`](Self::begin_connect) began has come to an end.
    ///
    /// # Errors
    /// `NOTCONN` when nothing was begun; what it ended with, once.
    pub(super) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.changed.add(cx);
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut *state, State::Idle(None));
        let (after, outcome) = self.step(before, cx);
        *state = after;
        if outcome.is_ready() {
            drop(state);
            self.changed.notify();
        }
        outcome
    }

    fn step(&self, state: State, cx: &Context<'_>) -> (State, Poll<Result<()>>) {
        match state {
            State::Connecting(stream, ends) => match stream.poll_connected(cx) {
                Poll::Pending => (State::Connecting(stream, ends), Poll::Pending),
                Poll::Ready(Ok(())) => {
                    let carrier = Carrier::Outside(stream);
                    let connected = State::Connected(carrier, Arc::new(ends));
                    (connected, Poll::Ready(Ok(())))
                }
                Poll::Ready(Err(errno)) => (State::Idle(None), Poll::Ready(Err(errno))),
            },
            State::Queueing(Queueing { ends, mut timeout }) => {
                let waker = self.changed.waker();
                let waiting = timeout.as_mut().poll(&mut Context::from_waker(&waker));
                if waiting.is_ready() {
                    return (State::Idle(None), Poll::Ready(Err(Errno::TIMEDOUT)));
                }
                match self.call_again(ends, timeout, cx) {
                    Ok(state @ State::Queueing(_)) => (state, Poll::Pending),
                    Ok(state) => (state, Poll::Ready(Ok(()))),
                    Err(errno) => (State::Idle(None), Poll::Ready(Err(errno))),
                }
            }
            State::Failed(errno) => (State::Idle(None), Poll::Ready(Err(errno))),
            state @ State::Connected(..) => (state, Poll::Ready(Ok(()))),
            state @ (State::Idle(_) | State::Listening(..)) => {
                (state, Poll::Ready(Err(Errno::NOTCONN)))
            }
        }
    }

    /// The queue had no room. The time it takes counts from the first call.
    fn call_again(&self, ends: Ends, timeout: Pin<Box<Sleep>>, cx: &Context<'_>) -> Result<State> {
        let peer = ends.peer;
        let admitted = self
            .network
            .gate()
            .admit(Transport::Tcp, peer, false, |permit| {
                if permit.is_inside() {
                    Ok(())
                } else {
                    Err(Errno::CONNREFUSED)
                }
            });
        admitted?;
        match self.call(ends, Some(cx))? {
            State::Queueing(Queueing { ends, .. }) => {
                Ok(State::Queueing(Queueing { ends, timeout }))
            }
            state => Ok(state),
        }
    }

    /// The oldest connection that waits; waits for one.
    ///
    /// # Errors
    /// `INVAL` when this does not listen.
    pub(super) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<(Self, SocketAddr)>> {
        self.changed.add(cx);
        let listener = self.listener().ok_or(Errno::INVAL)?;
        let incoming = ready!(listener.poll_accept(cx))?;
        let ends = Ends {
            local: incoming.local,
            peer: incoming.peer,
            _bound: None,
        };
        let carrier = Carrier::Inside(Arc::new(incoming.stream));
        let state = State::Connected(carrier, Arc::new(ends));
        let accepted = Self::with(
            &self.network,
            &self.account,
            self.family,
            state,
            incoming.slot,
        );
        Poll::Ready(Ok((accepted, self.family.show(incoming.peer))))
    }

    fn listener(&self) -> Option<Arc<Listener>> {
        match &*self.state.lock() {
            State::Listening(listener, _) => Some(Arc::clone(listener)),
            _ => None,
        }
    }

    /// Receives; 0 at the end. With `peek` what is received stays.
    ///
    /// # Errors
    /// `NOTCONN`, and what the connection failed with.
    pub(super) fn poll_read(
        &self,
        cx: &Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<usize>> {
        match ready!(self.poll_carrier(cx))? {
            Carrier::Inside(stream) => stream.poll_read(cx, into, peek).map(Ok),
            Carrier::Outside(stream) => stream.poll_read(cx, into, peek),
        }
    }

    /// Sends at least one byte.
    ///
    /// # Errors
    /// `NOTCONN`, `PIPE` when nobody receives any more, and what the connection failed with.
    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match ready!(self.poll_carrier(cx))? {
            Carrier::Inside(stream) => stream.poll_write(cx, bytes),
            Carrier::Outside(stream) => stream.poll_write(cx, bytes),
        }
    }

    fn poll_carrier(&self, cx: &Context<'_>) -> Poll<Result<Carrier>> {
        if let State::Connected(carrier, _) = &*self.state.lock() {
            return Poll::Ready(Ok(carrier.clone()));
        }
        ready!(self.poll_connected(cx))?;
        match &*self.state.lock() {
            State::Connected(carrier, _) => Poll::Ready(Ok(carrier.clone())),
            _ => Poll::Ready(Err(Errno::NOTCONN)),
        }
    }

    /// Waits until a read, or a write, would not wait. A socket that connects can be written once
    /// it is connected or has failed.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, write: bool) -> Poll<Ready> {
        if let Some(listener) = self.listener() {
            self.changed.add(cx);
            if write {
                return Poll::Pending;
            }
            let (bytes, hang_up) = ready!(listener.poll_ready(cx));
            let bytes = bytes as u64;
            return Poll::Ready(Ready { bytes, hang_up });
        }
        match ready!(self.poll_settled(cx)) {
            Ok(Carrier::Inside(stream)) => stream.poll_ready(cx, write),
            Ok(Carrier::Outside(stream)) => stream.poll_ready(cx, write),
            Err(_) => Poll::Ready(Ready {
                bytes: 0,
                hang_up: true,
            }),
        }
    }

    /// As [`poll_carrier`](Self::poll_carrier); a failure stays for the next call to be told.
    fn poll_settled(&self, cx: &Context<'_>) -> Poll<Result<Carrier>> {
        if let State::Failed(errno) = &*self.state.lock() {
            return Poll::Ready(Err(*errno));
        }
        let settled = ready!(self.poll_carrier(cx));
        if let Err(errno) = settled
            && errno != Errno::NOTCONN
        {
            let mut state = self.state.lock();
            if matches!(&*state, State::Idle(None)) {
                *state = State::Failed(errno);
            }
        }
        Poll::Ready(settled)
    }

    /// Closes one way, or both. A listener hears nobody any more once reading is closed.
    ///
    /// # Errors
    /// `NOTCONN`.
    pub(super) fn shut_down(&self, how: Shutdown) -> Result<()> {
        let carrier = match &*self.state.lock() {
            State::Connected(carrier, _) => carrier.clone(),
            State::Listening(listener, _) if how != Shutdown::Write => {
                listener.close();
                return Ok(());
            }
            _ => return Err(Errno::NOTCONN),
        };
        match carrier {
            Carrier::Inside(stream) => {
                if how != Shutdown::Write {
                    stream.close_read();
                }
                if how != Shutdown::Read {
                    stream.close_write();
                }
                Ok(())
            }
            Carrier::Outside(stream) => stream.shut_down(how),
        }
    }

    /// The address of this end. The host's own is nobody's business: outwards it is the
    /// unspecified one, with a port of the sandbox.
    pub(super) fn name(&self) -> SocketAddr {
        let local = match &*self.state.lock() {
            State::Idle(Some(bound)) | State::Listening(_, bound) => bound.address(),
            State::Connecting(_, ends) => ends.local,
            State::Queueing(queueing) => queueing.ends.local,
            State::Connected(_, ends) => ends.local,
            State::Idle(None) | State::Failed(_) => {
                return SocketAddr::new(self.family.unspecified(), 0);
            }
        };
        // Not mapped: an unspecified address shows no family.
        if local.ip().is_unspecified() {
            return SocketAddr::new(self.family.unspecified(), local.port());
        }
        self.family.show(local)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NOTCONN`.
    pub(super) fn peer(&self) -> Result<SocketAddr> {
        match &*self.state.lock() {
            State::Connected(_, ends) => Ok(self.family.show(address::plain(ends.peer))),
            _ => Err(Errno::NOTCONN),
        }
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        if let State::Listening(listener, _) = &*self.state.lock() {
            listener.close();
        }
    }
}
