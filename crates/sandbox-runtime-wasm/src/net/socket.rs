//! The one socket object behind every call of a guest.

use std::any::Any;
use std::future::Future;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::address::Family;
use super::datagram::DatagramSocket;
use super::gate::Transport;
use super::inbox::Received;
use super::network::Network;
use super::stream::StreamSocket;
use crate::kernel::{self, Account, Errno, Ready, Result};
use crate::lock::Lock;

/// What a guest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketKind {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
    /// ICMP echo requests and their replies, as Linux's unprivileged ping sockets have them.
    Echo,
}

/// The ways of a [timeout](Socket::set_timeout).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Receiving, and accepting.
    Receive,
    /// Sending, and connecting.
    Send,
}

/// A socket of a guest.
///
/// What begins with `poll_` answers `Pending` where it would wait, and wakes the task then.
#[derive(Debug)]
pub(crate) struct Socket {
    network: Arc<Network>,
    inner: Inner,
    receive_timeout: Lock<Option<Timeout>>,
    send_timeout: Lock<Option<Timeout>>,
}

#[derive(Debug)]
struct Timeout {
    after: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Inner {
    Stream(StreamSocket),
    Datagram(DatagramSocket),
}

impl Socket {
    /// A new socket, whose buffers are charged to `account`.
    ///
    /// # Errors
    /// `NFILE` when the sandbox has as many as it may.
    pub(crate) fn open(
        network: &Arc<Network>,
        account: &Arc<Account>,
        family: Family,
        kind: SocketKind,
    ) -> Result<Arc<Self>> {
        let datagram = |transport| DatagramSocket::open(network, account, family, transport);
        let inner = match kind {
            SocketKind::Stream => Inner::Stream(StreamSocket::open(network, account, family)?),
            SocketKind::Datagram => Inner::Datagram(datagram(Transport::Udp)?),
            SocketKind::Echo => Inner::Datagram(datagram(Transport::Echo)?),
        };
        Ok(Self::with(network, inner))
    }

    fn with(network: &Arc<Network>, inner: Inner) -> Arc<Self> {
        Arc::new(Self {
            network: Arc::clone(network),
            inner,
            receive_timeout: Lock::default(),
            send_timeout: Lock::default(),
        })
    }

    /// Takes the port of `address`; port 0 is any.
    ///
    /// # Errors
    /// `ADDRNOTAVAIL` for an address that is not the sandbox's own, `ADDRINUSE`, `AFNOSUPPORT`,
    /// `INVAL` when it is bound or connected already.
    pub(crate) fn bind(&self, address: SocketAddr) -> Result<()> {
        match &self.inner {
            Inner::Stream(stream) => stream.bind(address),
            Inner::Datagram(datagram) => datagram.bind(address),
        }
    }

    /// Listens, for at most 128 connections that nobody has accepted yet.
    ///
    /// # Errors
    /// `NOTSUP` for datagrams, `INVAL` when it is connected, `ADDRINUSE` when no port is left.
    pub(crate) fn listen(&self, backlog: u32) -> Result<()> {
        self.stream()?.listen(backlog)
    }

    /// Begins to connect; `None` disconnects a datagram socket. Answers whether it is done:
    /// otherwise [`poll_connected`](Self::poll_connected) tells when it is.
    ///
    /// # Errors
    /// `ACCES` when the egress policy denies it, and what connecting fails with at once.
    pub(crate) fn connect(&self, to: Option<SocketAddr>) -> Result<bool> {
        match (&self.inner, to) {
            (Inner::Stream(stream), Some(to)) => {
                stream.begin_connect(to)?;
                let done = stream.poll_connected(&Context::from_waker(Waker::noop()));
                match done {
                    Poll::Ready(done) => done.map(|()| true),
                    Poll::Pending => Ok(false),
                }
            }
            (Inner::Stream(_), None) => Err(Errno::AFNOSUPPORT),
            (Inner::Datagram(datagram), to) => datagram.connect(to).map(|()| true),
        }
    }

    /// Waits until a connection has come about.
    ///
    /// # Errors
    /// `CONNREFUSED`, `TIMEDOUT`, `HOSTUNREACH` and the others of connecting.
    pub(crate) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        match &self.inner {
            Inner::Stream(stream) => stream.poll_connected(cx),
            Inner::Datagram(_) => Poll::Ready(Ok(())),
        }
    }

    /// The oldest connection that waits, and whom it is from.
    ///
    /// # Errors
    /// `INVAL` when it does not listen, `NOTSUP` for datagrams.
    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<(Arc<Self>, SocketAddr)>> {
        let (stream, peer) = ready!(self.stream()?.poll_accept(cx))?;
        Poll::Ready(Ok((Self::with(&self.network, Inner::Stream(stream)), peer)))
    }

    /// Receives, with whom it is from; 0 bytes at the end of a stream. With `peek` it stays.
    ///
    /// # Errors
    /// `NOTCONN`, `CONNRESET`, `CONNREFUSED`.
    pub(crate) fn poll_receive(
        &self,
        cx: &Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<Received>> {
        match &self.inner {
            Inner::Stream(stream) => {
                let count = ready!(stream.poll_read(cx, into, peek))?;
                let from = stream.peer()?;
                let truncated = false;
                Poll::Ready(Ok(Received {
                    count,
                    truncated,
                    from,
                }))
            }
            Inner::Datagram(datagram) => datagram.poll_receive(cx, into, peek),
        }
    }

    /// Sends: at least one byte of a stream, or one whole datagram, to `to` or to whom this is
    /// connected.
    ///
    /// # Errors
    /// `ACCES` when the egress policy denies it, `PIPE`, `NOTCONN`, `ISCONN` for a stream with an
    /// address, `DESTADDRREQ`, `MSGSIZE`.
    pub(crate) fn poll_send(
        &self,
        cx: &Context<'_>,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<Result<usize>> {
        match (&self.inner, to) {
            (Inner::Stream(stream), None) => stream.poll_write(cx, bytes),
            (Inner::Stream(_), Some(_)) => Poll::Ready(Err(Errno::ISCONN)),
            (Inner::Datagram(datagram), to) => datagram.poll_send(cx, bytes, to),
        }
    }

    /// The address of this end. Outwards it is the unspecified address with a port of the sandbox:
    /// the host's own is nobody's business.
    pub(crate) fn name(&self) -> SocketAddr {
        match &self.inner {
            Inner::Stream(stream) => stream.name(),
            Inner::Datagram(datagram) => datagram.name(),
        }
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NOTCONN`.
    pub(crate) fn peer(&self) -> Result<SocketAddr> {
        match &self.inner {
            Inner::Stream(stream) => stream.peer(),
            Inner::Datagram(datagram) => datagram.peer(),
        }
    }

    /// How long a call may wait before it answers `AGAIN`; zero for ever.
    pub(crate) fn set_timeout(&self, way: Way, timeout: Duration) {
        let waiting = (!timeout.is_zero()).then(|| Timeout {
            after: timeout,
            running: None,
        });
        *self.timeout_of(way).lock() = waiting;
    }

    /// Ends a wait that takes longer than the guest wants. Everybody who waits this way has the same
    /// clock, which starts with the first of them.
    pub(crate) fn in_time<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        poll: Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let mut timeout = self.timeout_of(way).lock();
        let Some(timeout) = &mut *timeout else {
            return poll;
        };
        if poll.is_ready() {
            timeout.running = None;
            return poll;
        }
        let running = match &mut timeout.running {
            Some(running) => running,
            None => timeout
                .running
                .insert(self.network.hub().sleep(timeout.after)?),
        };
        ready!(running.as_mut().poll(cx));
        timeout.running = None;
        Poll::Ready(Err(Errno::AGAIN))
    }

    fn timeout_of(&self, way: Way) -> &Lock<Option<Timeout>> {
        match way {
            Way::Receive => &self.receive_timeout,
            Way::Send => &self.send_timeout,
        }
    }

    fn stream(&self) -> Result<&StreamSocket> {
        match &self.inner {
            Inner::Stream(stream) => Ok(stream),
            Inner::Datagram(_) => Err(Errno::NOTSUP),
        }
    }
}

/// With the timeouts that the guest has set, and without whom it is from.
impl kernel::Socket for Socket {
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        let received = ready!(kernel::Socket::poll_receive(self, cx, into, false));
        Poll::Ready(received.map(|(count, _)| count))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let sent = self.poll_send(cx, bytes, None);
        self.in_time(cx, Way::Send, sent)
    }

    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<(usize, bool)>> {
        let received = self.poll_receive(cx, into, peek);
        let received = ready!(self.in_time(cx, Way::Receive, received));
        Poll::Ready(received.map(|received| (received.count, received.truncated)))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<Arc<dyn kernel::Socket>>> {
        let accepted = self.poll_accept(cx);
        let (socket, _) = ready!(self.in_time(cx, Way::Receive, accepted))?;
        Poll::Ready(Ok(socket))
    }

    fn poll_ready(&self, cx: &mut Context<'_>, write: bool) -> Poll<Ready> {
        match &self.inner {
            Inner::Stream(stream) => stream.poll_ready(cx, write),
            Inner::Datagram(datagram) => datagram.poll_ready(cx, write),
        }
    }

    fn shut_down(&self, read: bool, write: bool) -> Result<()> {
        let how = match (read, write) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => return Err(Errno::INVAL),
        };
        match &self.inner {
            Inner::Stream(stream) => stream.shut_down(how),
            Inner::Datagram(datagram) => datagram.shut_down(how),
        }
    }

    fn is_stream(&self) -> bool {
        matches!(self.inner, Inner::Stream(_))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
