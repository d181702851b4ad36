//! A TCP connection to the outside.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sandbox_core::egress::Destination;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::failure::errno;
use super::gate::{Flow, Permit};
use super::limit::Slot;
use super::network::Network;
use super::waiters::Waiters;
use crate::kernel::{Errno, Ready, Result};
use crate::lock::Lock;

/// The most bytes one write hands to the host.
const WRITE_BYTES: usize = 256 << 10;

/// A connection, or one that comes about. The host's socket is read when the guest reads and not
/// before: what the guest does not take waits with the sender.
pub(super) struct HostStream {
    network: Arc<Network>,
    destination: Destination,
    state: Lock<State>,
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    _slot: Slot,
}

enum State {
    Connecting(TcpStream, Pin<Box<Sleep>>),
    Open(TcpStream),
    /// Failed, or cut.
    Ended(Errno),
}

impl HostStream {
    /// Begins to connect.
    ///
    /// # Errors
    /// `NFILE` when the host has no socket left for it, and what connecting fails with at once.
    pub(super) fn connect(network: &Arc<Network>, mut permit: Permit<'_>) -> Result<Arc<Self>> {
        let hub = network.hub();
        let slot = hub.sockets.take()?;
        let address = permit.address();
        let domain = match address.ip() {
            IpAddr::V4(_) => Domain::IPV4,
            IpAddr::V6(_) => Domain::IPV6,
        };
        let timeout = hub.sleep(hub.connect_timeout)?;
        let connecting = || -> io::Result<TcpStream> {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            // The guest decides what goes together by what it writes together.
            socket.set_tcp_nodelay(true)?;
            match socket.connect(&address.into()) {
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
                connected => connected?,
            }
            TcpStream::from_std(socket.into())
        };
        let stream = {
            let _inside = hub.handle()?.enter();
            connecting().map_err(|error| errno(&error))?
        };
        let this = Arc::new(Self {
            network: Arc::clone(network),
            destination: permit.destination().clone(),
            state: Lock::new(State::Connecting(stream, timeout)),
            readers: Arc::default(),
            writers: Arc::default(),
            _slot: slot,
        });
        permit.keep(&this);
        Ok(this)
    }

    /// Waits until it is connected.
    ///
    /// # Errors
    /// `CONNREFUSED`, `TIMEDOUT` and the others of connecting; `CONNABORTED` when it was cut.
    pub(super) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.writers.add(cx);
        let waker = self.writers.waker();
        let mut own = Context::from_waker(&waker);
        let mut state = self.state.lock();
        let outcome = match &mut *state {
            State::Open(_) => return Poll::Ready(Ok(())),
            State::Ended(errno) => return Poll::Ready(Err(*errno)),
            State::Connecting(stream, timeout) => match stream.poll_write_ready(&mut own) {
                Poll::Ready(Ok(())) => match stream.take_error() {
                    Ok(None) => Ok(()),
                    Ok(Some(error)) | Err(error) => Err(errno(&error)),
                },
                Poll::Ready(Err(error)) => Err(errno(&error)),
                Poll::Pending => {
                    ready!(timeout.as_mut().poll(&mut own));
                    Err(Errno::TIMEDOUT)
                }
            },
        };
        let before = std::mem::replace(&mut *state, State::Ended(Errno::CONNABORTED));
        *state = match (before, outcome) {
            (State::Connecting(stream, _), Ok(())) => State::Open(stream),
            (_, Ok(())) => State::Ended(Errno::CONNABORTED),
            (_, Err(errno)) => State::Ended(errno),
        };
        Poll::Ready(outcome)
    }

    /// Receives; 0 at the end. With `peek` what is received stays.
    ///
    /// # Errors
    /// `CONNRESET` when it was cut or the other side broke it off.
    pub(super) fn poll_read(
        &self,
        cx: &Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<Result<usize>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.network.gate().refresh();
        let count = ready!(self.with(cx, &self.readers, |stream, own| {
            let mut buffer = ReadBuf::new(into);
            if peek {
                return stream.poll_peek(own, &mut buffer);
            }
            ready!(Pin::new(stream).poll_read(own, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        }))?;
        if !peek {
            self.network.count_received(count);
        }
        Poll::Ready(Ok(count))
    }

    /// Sends what the host takes, at least one byte.
    ///
    /// # Errors
    /// `PIPE` or `CONNRESET` when nobody receives any more, or it was cut.
    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.network.gate().refresh();
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        let count = ready!(self.with(cx, &self.writers, |stream, own| {
            Pin::new(stream).poll_write(own, bytes)
        }))?;
        self.network.count_sent(count);
        Poll::Ready(Ok(count))
    }

    /// Waits until a read, or a write, would not wait.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, write: bool) -> Poll<Ready> {
        let looked = if write {
            let ready = self.with(cx, &self.writers, |stream, own| {
                ready!(stream.poll_write_ready(own))?;
                Poll::Ready(Ok(1))
            });
            ready!(ready)
        } else {
            let mut byte = [0];
            ready!(self.poll_read(cx, &mut byte, true))
        };
        Poll::Ready(match looked {
            Ok(1..) => Ready {
                bytes: 1,
                hang_up: false,
            },
            Ok(0) | Err(_) => Ready {
                bytes: 0,
                hang_up: true,
            },
        })
    }

    /// Closes one way, or both.
    pub(super) fn shut_down(&self, how: Shutdown) -> Result<()> {
        let done = match &*self.state.lock() {
            State::Connecting(stream, _) | State::Open(stream) => {
                SockRef::from(stream).shutdown(how)
            }
            State::Ended(errno) => return Err(*errno),
        };
        self.readers.notify();
        self.writers.notify();
        done.map_err(|error| errno(&error))
    }

    /// Lets `work` try; when it has to wait, whoever is polled now is among those woken.
    fn with(
        &self,
        cx: &Context<'_>,
        waiters: &Arc<Waiters>,
        work: impl FnOnce(&mut TcpStream, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<Result<usize>> {
        waiters.add(cx);
        let waker: Waker = waiters.waker();
        let mut state = self.state.lock();
        let done = match &mut *state {
            State::Open(stream) => work(stream, &mut Context::from_waker(&waker)),
            State::Connecting(..) => return Poll::Ready(Err(Errno::NOTCONN)),
            State::Ended(errno) => return Poll::Ready(Err(*errno)),
        };
        done.map_err(|error| errno(&error))
    }
}

impl Flow for HostStream {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    fn cut(&self) {
        let mut state = self.state.lock();
        let ended = match &*state {
            State::Connecting(..) => Errno::CONNABORTED,
            State::Open(_) => Errno::CONNRESET,
            State::Ended(_) => return,
        };
        let before = std::mem::replace(&mut *state, State::Ended(ended));
        if let State::Open(stream) | State::Connecting(stream, _) = &before {
            // What the host has not sent yet must not be sent either. When this fails closing does
            // less, and nothing can be done about that.
            let _reset = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        drop(state);
        drop(before);
        self.readers.notify();
        self.writers.notify();
    }
}

impl fmt::Debug for HostStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostStream({})", self.destination)
    }
}
