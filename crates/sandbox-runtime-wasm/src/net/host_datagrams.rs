//! Datagrams to one address outside, and back.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sandbox_core::egress::Destination;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::failure::errno;
use super::gate::{Flow, Permit, Transport};
use super::limit::Slot;
use super::network::Network;
use super::waiters::Waiters;
use crate::kernel::{Errno, Result};
use crate::lock::Lock;

/// A socket of the host that talks to one address. It is connected, so that the host's kernel drops
/// what others send to its port: a guest gets answers, and listens to nobody.
pub(super) struct HostDatagrams {
    network: Arc<Network>,
    peer: SocketAddr,
    destination: Destination,
    /// `None` once it is cut.
    socket: Lock<Option<UdpSocket>>,
    /// Of the guest's socket, which has several of these.
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    _slot: Slot,
}

impl HostDatagrams {
    /// Opens one; whoever waits for its datagrams is in `readers`.
    ///
    /// # Errors
    /// `NFILE` when the host has no socket left for it, `ACCES` when it lets nobody send echo
    /// requests, and what its routes fail with.
    pub(super) fn open(
        network: &Arc<Network>,
        transport: Transport,
        permit: &mut Permit<'_>,
        readers: Arc<Waiters>,
        writers: Arc<Waiters>,
    ) -> Result<Arc<Self>> {
        let hub = network.hub();
        let slot = hub.sockets.take()?;
        let peer = permit.address();
        let (domain, echo) = match peer.ip() {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let protocol = (transport == Transport::Echo).then_some(echo);
        let opening = || -> io::Result<UdpSocket> {
            let socket = Socket::new(domain, Type::DGRAM, protocol)?;
            socket.set_nonblocking(true)?;
            socket.connect(&peer.into())?;
            UdpSocket::from_std(StdSocket::from(socket))
        };
        let socket = {
            let _inside = hub.handle()?.enter();
            opening().map_err(|error| errno(&error))?
        };
        let this = Arc::new(Self {
            network: Arc::clone(network),
            peer,
            destination: permit.destination().clone(),
            socket: Lock::new(Some(socket)),
            readers,
            writers,
            _slot: slot,
        });
        permit.keep(&this);
        Ok(this)
    }

    /// Who is at the other end.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends one datagram, under the permit for it.
    ///
    /// # Errors
    /// `MSGSIZE`, `CONNREFUSED` for an earlier one, `CONNRESET` when it was cut.
    pub(super) fn poll_send(
        &self,
        _permit: &Permit<'_>,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<()>> {
        self.writers.add(cx);
        let waker = self.writers.waker();
        let socket = self.socket.lock();
        let Some(socket) = &*socket else {
            return Poll::Ready(Err(Errno::CONNRESET));
        };
        // Straight to the host first: that a new socket has room is not known to the watcher yet.
        let sent = match SockRef::from(socket).send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(socket.poll_send(&mut Context::from_waker(&waker), bytes))
            }
            sent => sent,
        };
        let sent = sent.map_err(|error| errno(&error))?;
        self.network.count_sent(sent);
        Poll::Ready(Ok(()))
    }

    /// Receives one datagram, as much of it as there is room for. With `peek` it stays. Whoever
    /// waits is in `readers` already.
    ///
    /// # Errors
    /// `CONNREFUSED` when nobody receives what was sent, `CONNRESET` when it was cut.
    pub(super) fn poll_receive(&self, into: &mut [u8], peek: bool) -> Poll<Result<usize>> {
        let waker = self.readers.waker();
        let mut own = Context::from_waker(&waker);
        let socket = self.socket.lock();
        let Some(socket) = &*socket else {
            return Poll::Ready(Err(Errno::CONNRESET));
        };
        let mut buffer = ReadBuf::new(into);
        let done = if peek {
            ready!(socket.poll_peek_from(&mut own, &mut buffer)).map(drop)
        } else {
            ready!(socket.poll_recv(&mut own, &mut buffer))
        };
        done.map_err(|error| errno(&error))?;
        let count = buffer.filled().len();
        if !peek {
            self.network.count_received(count);
        }
        Poll::Ready(Ok(count))
    }
}

impl Flow for HostDatagrams {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    fn cut(&self) {
        let socket = self.socket.lock().take();
        drop(socket);
        self.readers.notify();
        self.writers.notify();
    }
}

impl fmt::Debug for HostDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostDatagrams({})", self.destination)
    }
}
