//! Datagram sockets: UDP, and echo requests of ICMP.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::address::{self, Family};
use super::echo;
use super::gate::{Permit, Transport};
use super::host_datagrams::HostDatagrams;
use super::inbox::{Inbox, Received};
use super::limit::Slot;
use super::network::Network;
use super::ports::{Bound, Kind};
use super::waiters::Waiters;
use crate::kernel::{Account, Errno, Ready, Result};
use crate::lock::Lock;

/// The longest datagram there is, over IPv4.
const MAX_BYTES: usize = 65_507;
/// Addresses outside that one socket talks to at once; the one it has not sent to for longest is
/// forgotten for a new one.
const MAX_FLOWS: usize = 64;

/// A datagram socket of a guest.
#[derive(Debug)]
pub(super) struct DatagramSocket {
    network: Arc<Network>,
    family: Family,
    transport: Transport,
    inbox: Arc<Inbox>,
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    state: Lock<State>,
    _slot: Slot,
}

#[derive(Debug, Default)]
struct State {
    bound: Option<Bound>,
    peer: Option<SocketAddr>,
    /// The last one sent to is the last.
    flows: Vec<Arc<HostDatagrams>>,
    /// What an earlier datagram met with; the next call is told.
    failure: Option<Errno>,
    deaf: bool,
    mute: bool,
}

impl DatagramSocket {
    pub(super) fn open(
        network: &Arc<Network>,
        account: &Arc<Account>,
        family: Family,
        transport: Transport,
    ) -> Result<Self> {
        let slot = network.sockets().take()?;
        let readers = Arc::<Waiters>::default();
        Ok(Self {
            network: Arc::clone(network),
            family,
            transport,
            inbox: Inbox::new(Arc::clone(account), Arc::clone(&readers)),
            readers,
            writers: Arc::default(),
            state: Lock::default(),
            _slot: slot,
        })
    }

    /// Takes the port of `address`.
    ///
    /// # Errors
    /// `AFNOSUPPORT`, `INVAL` when it is bound already, and as [`Bound::take`].
    pub(super) fn bind(&self, address: SocketAddr) -> Result<()> {
        let address = self.family.take(address)?;
        let mut state = self.state.lock();
        if state.bound.is_some() {
            return Err(Errno::INVAL);
        }
        self.bind_to(&mut state, address).map(drop)
    }

    fn bind_to(&self, state: &mut State, address: SocketAddr) -> Result<SocketAddr> {
        if self.transport == Transport::Echo {
            // Echo requests have no ports.
            return Ok(address);
        }
        let bound = Bound::take(&self.network, Kind::Udp, address)?;
        bound.receive(&self.inbox);
        Ok(state.bound.insert(bound).address())
    }

    /// Where this socket's datagrams come from; binds it when it is not.
    fn source(&self, state: &mut State, to: SocketAddr) -> Result<SocketAddr> {
        let local = match &state.bound {
            Some(bound) => bound.address(),
            None => {
                let any = SocketAddr::new(self.family.unspecified(), 0);
                self.bind_to(state, any)?
            }
        };
        if local.ip().is_unspecified() {
            return Ok(SocketAddr::new(to.ip(), local.port()));
        }
        Ok(local)
    }

    /// Sends to `to` where no other address is given, and takes datagrams from there alone; `None`
    /// takes that back.
    ///
    /// # Errors
    /// `AFNOSUPPORT`; `ACCES` when the policy denies it.
    pub(super) fn connect(&self, to: Option<SocketAddr>) -> Result<()> {
        let to = to.map(|to| self.family.take(to)).transpose()?;
        let to = to.map(address::target);
        let mut state = self.state.lock();
        if let Some(to) = to {
            self.source(&mut state, to)?;
            let gate = self.network.gate();
            gate.admit(self.transport, to, true, |mut permit| {
                if !permit.is_inside() {
                    self.flow(&mut state, &mut permit)?;
                }
                Ok(())
            })?;
        }
        state.peer = to;
        state.failure = None;
        state
            .flows
            .retain(|flow| to.is_none_or(|to| flow.peer() == to));
        drop(state);
        self.inbox.set_only(to);
        Ok(())
    }

    /// Sends one datagram, to `to` or to whom this is connected.
    ///
    /// # Errors
    /// `ACCES` when the policy denies it; `DESTADDRREQ`, `ISCONN`, `AFNOSUPPORT`, `MSGSIZE` over
    /// 65,507 bytes, `PIPE` after sending was shut down, and what the host fails with.
    pub(super) fn poll_send(
        &self,
        cx: &Context<'_>,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<Result<usize>> {
        if bytes.len() > MAX_BYTES {
            return Poll::Ready(Err(Errno::MSGSIZE));
        }
        let mut state = self.state.lock();
        if state.mute {
            return Poll::Ready(Err(Errno::PIPE));
        }
        let to = match (to, state.peer) {
            (Some(to), _) => address::target(self.family.take(to)?),
            (None, Some(peer)) => peer,
            (None, None) => return Poll::Ready(Err(Errno::DESTADDRREQ)),
        };
        if let Some(failure) = state.failure.take() {
            return Poll::Ready(Err(failure));
        }
        if to.port() == 0 && self.transport == Transport::Udp {
            return Poll::Ready(Err(Errno::INVAL));
        }
        let from = self.source(&mut state, to)?;
        let fresh = !state.flows.iter().any(|flow| flow.peer() == to);
        let gate = self.network.gate();
        // The gate is open while this sends, and no longer.
        let sent = gate.admit(self.transport, to, fresh, |mut permit| {
            if permit.is_inside() {
                self.send_inside(&permit, &mut state, from, bytes)?;
                return Ok(Poll::Ready(()));
            }
            if from.ip().is_loopback() {
                return Err(Errno::INVAL);
            }
            let flow = self.flow(&mut state, &mut permit)?;
            match flow.poll_send(&permit, cx, bytes) {
                Poll::Ready(sent) => sent.map(Poll::Ready),
                Poll::Pending => Ok(Poll::Pending),
            }
        })?;
        sent.map(|()| Ok(bytes.len()))
    }

    fn send_inside(
        &self,
        permit: &Permit<'_>,
        state: &mut State,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<()> {
        let to = permit.address();
        if self.transport == Transport::Echo {
            let answer = echo::reply(to.ip(), bytes).ok_or(Errno::INVAL)?;
            self.inbox.deliver(to, &answer);
            return Ok(());
        }
        let inbox = self.network.ports().inbox(to);
        let taken = inbox.is_some_and(|inbox| inbox.deliver(from, bytes));
        if !taken && state.peer == Some(to) {
            // Only who is connected is told, and with the next call.
            state.failure = Some(Errno::CONNREFUSED);
        }
        Ok(())
    }

    /// The flow to where the permit leads.
    fn flow(&self, state: &mut State, permit: &mut Permit<'_>) -> Result<Arc<HostDatagrams>> {
        let known = state.flows.iter();
        let mut known = known
            .enumerate()
            .filter(|(_, flow)| flow.peer() == permit.address());
        let flow = match known.next() {
            Some((index, _)) => state.flows.remove(index),
            None => {
                if state.flows.len() >= MAX_FLOWS {
                    state.flows.remove(0);
                }
                HostDatagrams::open(
                    &self.network,
                    self.transport,
                    permit,
                    Arc::clone(&self.readers),
                    Arc::clone(&self.writers),
                )?
            }
        };
        state.flows.push(Arc::clone(&flow));
        Ok(flow)
    }

    /// Receives one datagram, as much of it as there is room for; the rest of it is lost. With
    /// `peek` all of it stays.
    ///
    /// # Errors
    /// `CONNREFUSED` on a connected socket when nobody receives what it sent; `CONNRESET` when a new
    /// policy cut it.
    pub(super) fn poll_receive(
        &self,
        cx: &Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<Received>> {
        self.network.gate().refresh();
        self.readers.add(cx);
        let mut state = self.state.lock();
        if let Some(failure) = state.failure.take() {
            return Poll::Ready(Err(failure));
        }
        if let Poll::Ready(received) = self.inbox.poll_receive(into, peek) {
            return Poll::Ready(Ok(self.shown(received)));
        }
        let mut index = 0;
        while let Some(flow) = state.flows.get(index) {
            let from = flow.peer();
            match flow.poll_receive(into, peek) {
                Poll::Ready(Ok(count)) => {
                    let truncated = false;
                    let received = Received {
                        count,
                        truncated,
                        from,
                    };
                    return Poll::Ready(Ok(self.shown(received)));
                }
                Poll::Ready(Err(errno)) => {
                    // One that was cut says so once.
                    if errno == Errno::CONNRESET {
                        state.flows.remove(index);
                    } else {
                        index += 1;
                    }
                    if state.peer == Some(from) {
                        return Poll::Ready(Err(errno));
                    }
                }
                Poll::Pending => index += 1,
            }
        }
        if state.deaf {
            return Poll::Ready(Ok(self.nothing(&state)));
        }
        Poll::Pending
    }

    /// What a socket receives that was shut down for receiving.
    fn nothing(&self, state: &State) -> Received {
        let any = SocketAddr::new(self.family.unspecified(), 0);
        Received {
            count: 0,
            truncated: false,
            from: state.peer.unwrap_or(any),
        }
    }

    fn shown(&self, received: Received) -> Received {
        Received {
            from: self.family.show(received.from),
            ..received
        }
    }

    /// Waits until receiving, or sending, would not wait.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, write: bool) -> Poll<Ready> {
        if write {
            // What there is no room for is lost, or waits for a moment.
            return Poll::Ready(Ready {
                bytes: MAX_BYTES as u64,
                hang_up: false,
            });
        }
        if let Some(bytes) = self.inbox.next_bytes() {
            return Poll::Ready(Ready {
                bytes: bytes as u64,
                hang_up: false,
            });
        }
        if self.state.lock().failure.is_some() {
            return Poll::Ready(Ready {
                bytes: 1,
                hang_up: true,
            });
        }
        let looked = ready!(self.poll_receive(cx, &mut [0; 1], true));
        if let Err(errno) = looked {
            // Still to be told.
            self.state.lock().failure = Some(errno);
        }
        Poll::Ready(Ready {
            bytes: 1,
            hang_up: looked.is_err(),
        })
    }

    /// Receives or sends nothing more.
    ///
    /// # Errors
    /// `NOTCONN`.
    pub(super) fn shut_down(&self, how: Shutdown) -> Result<()> {
        let mut state = self.state.lock();
        if state.peer.is_none() {
            return Err(Errno::NOTCONN);
        }
        state.deaf |= how != Shutdown::Write;
        state.mute |= how != Shutdown::Read;
        drop(state);
        self.readers.notify();
        Ok(())
    }

    /// The address of this end; the unspecified one, with a port of the sandbox, outwards.
    pub(super) fn name(&self) -> SocketAddr {
        let state = self.state.lock();
        let bound = state.bound.as_ref().map(Bound::address);
        let local = bound.unwrap_or(SocketAddr::new(self.family.unspecified(), 0));
        self.family.show(local)
    }

    /// Whom this is connected to.
    ///
    /// # Errors
    /// `NOTCONN`.
    pub(super) fn peer(&self) -> Result<SocketAddr> {
        let peer = self.state.lock().peer.ok_or(Errno::NOTCONN)?;
        Ok(self.family.show(peer))
    }
}
