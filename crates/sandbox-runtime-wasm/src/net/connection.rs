//! Connections from the host to a port of a sandbox.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use sandbox_core::{BoxConnection, Error, ErrorKind};

use super::duplex::Duplex;
use super::limit::Slot;
use super::network::Network;
use crate::kernel::Errno;

const OPERATION: &str = "sandbox.connect";
/// How long a listener may leave a connection in front of its full queue.
const PATIENCE: Duration = Duration::from_secs(30);

/// The host's end.
struct HostConnection {
    stream: Duplex,
    _slot: Slot,
}

impl Network {
    /// Connects to whoever listens on `port`, on any address of the sandbox. No policy applies, and
    /// nothing of the host's network is touched.
    ///
    /// # Errors
    /// `InvalidSpec` with field `port` for port 0, `Unavailable` with field `port` when nobody
    /// listens there, or has accepted nothing for long; `LimitExceeded` when the sandbox has as many
    /// sockets as it may.
    pub(crate) async fn connect_to(self: &Arc<Self>, port: u16) -> Result<BoxConnection, Error> {
        if port == 0 {
            return Err(Error::invalid(OPERATION, "port", "must be from 1 to 65535"));
        }
        let slot = self.sockets().take().map_err(failure)?;
        // Only a full queue takes time.
        let mut timeout = None;
        let stream = poll_fn(|cx| {
            if let Poll::Ready(called) = self.call(cx, port) {
                return Poll::Ready(called);
            }
            let timeout = match &mut timeout {
                Some(timeout) => timeout,
                None => timeout.insert(self.hub().sleep(PATIENCE)?),
            };
            ready!(Future::poll(timeout.as_mut(), cx));
            Poll::Ready(Err(Errno::TIMEDOUT))
        });
        let stream = stream.await.map_err(failure)?;
        Ok(Box::new(HostConnection {
            stream,
            _slot: slot,
        }))
    }

    fn call(&self, cx: &Context<'_>, port: u16) -> Poll<Result<Duplex, Errno>> {
        let Some((local, listener)) = self.ports().any_listener(port) else {
            return Poll::Ready(Err(Errno::CONNREFUSED));
        };
        let peer = SocketAddr::new(local.ip(), self.ports().source());
        listener.poll_connect(cx, peer, local, || self.sockets().take())
    }
}

fn failure(errno: Errno) -> Error {
    let (kind, message) = match errno {
        Errno::CONNREFUSED => (ErrorKind::Unavailable, "nothing listens on this port"),
        Errno::TIMEDOUT => (ErrorKind::Unavailable, "the listener does not accept"),
        Errno::NFILE => (ErrorKind::LimitExceeded, "the sandbox has too many sockets"),
        _ => (ErrorKind::Internal, "the connection could not be made"),
    };
    Error::new(kind, OPERATION, message).with_field("port")
}

impl AsyncRead for HostConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, into, false).map(Ok)
    }
}

impl AsyncWrite for HostConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.stream.poll_write(cx, bytes));
        Poll::Ready(written.map_err(|errno| match errno {
            Errno::NOBUFS => io::ErrorKind::OutOfMemory.into(),
            _ => io::ErrorKind::BrokenPipe.into(),
        }))
    }

    /// What was written is with the sandbox already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.close_write();
        Poll::Ready(Ok(()))
    }
}
