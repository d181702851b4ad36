//! A connection to a port of a sandbox, over a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{AsyncRead, AsyncWrite, Sink, Stream};
use sandbox_api_types::{ClientMessage, ServerMessage};
use sandbox_core::{BoxConnection, Result};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::Client;
use crate::error::{nonsense, shortened};
use crate::route::Route;
use crate::socket::Socket;

/// The largest piece that is sent at once.
const MAX_PIECE: usize = 64 << 10;
const OPERATION: &str = "client.connect";

impl Client {
    pub(crate) async fn connect_to(&self, route: Route) -> Result<BoxConnection> {
        let socket = self.open(OPERATION, route).await?;
        let idle = self.inner().limits.idle_timeout;
        // The text is made once, so that closing cannot fail.
        let close = serde_json::to_string(&ClientMessage::CloseWrite)
            .map_err(|e| nonsense(OPERATION, "the message cannot be written").with_source(e))?;
        Ok(Box::new(Port {
            socket,
            received: Bytes::new(),
            read_closed: false,
            close: Some(close),
            idle,
            silent: Box::pin(tokio::time::sleep(idle)),
        }))
    }
}

struct Port {
    socket: Socket,
    received: Bytes,
    read_closed: bool,
    /// What says that nothing more will be sent, until it is said.
    close: Option<String>,
    idle: Duration,
    /// Ends when the server has said nothing, not even that it is alive, for too long.
    silent: Pin<Box<Sleep>>,
}

fn broken(error: Error) -> io::Error {
    let kind = match &error {
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe,
        Error::Io(error) => error.kind(),
        _ => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, error)
}

impl Port {
    /// What the server says; `None` once it says nothing more.
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let said = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(said) => said,
                Poll::Pending => {
                    ready!(self.silent.as_mut().poll(cx));
                    let message = "the connection to the server stands still";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)));
                }
            };
            let silent = Instant::now() + self.idle;
            self.silent.as_mut().reset(silent);
            match said {
                Some(Ok(Message::Binary(bytes))) if !bytes.is_empty() => {
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Some(Ok(Message::Text(text))) => {
                    if understood(text.as_str())? {
                        return Poll::Ready(Ok(None));
                    }
                }
                Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(None)),
                Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                )) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            }
        }
    }
}

/// Whether a message says that nothing more will come. One that is not known is passed over.
fn understood(text: &str) -> io::Result<bool> {
    match serde_json::from_str(text) {
        Ok(ServerMessage::CloseWrite) => Ok(true),
        Ok(ServerMessage::Error { error, .. }) => {
            let error = shortened(error).into_error(OPERATION);
            Err(io::Error::new(io::ErrorKind::ConnectionReset, error))
        }
        Ok(_) | Err(_) => Ok(false),
    }
}

impl AsyncRead for Port {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while self.received.is_empty() {
            if self.read_closed {
                return Poll::Ready(Ok(0));
            }
            match ready!(self.poll_said(cx))? {
                Some(bytes) => self.received = bytes,
                None => self.read_closed = true,
            }
        }
        let taken = buffer.len().min(self.received.len());
        self.received.copy_to_slice(&mut buffer[..taken]);
        Poll::Ready(Ok(taken))
    }
}

impl AsyncWrite for Port {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.close.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(cx)).map_err(broken)?;
        let piece = &buffer[..buffer.len().min(MAX_PIECE)];
        let message = Message::Binary(Bytes::copy_from_slice(piece));
        socket.start_send(message).map_err(broken)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut socket = Pin::new(&mut this.socket);
        if this.close.is_some() {
            ready!(socket.as_mut().poll_ready(cx)).map_err(broken)?;
        }
        if let Some(close) = this.close.take() {
            let message = Message::Text(close.into());
            socket.as_mut().start_send(message).map_err(broken)?;
        }
        socket.poll_flush(cx).map_err(broken)
    }
}
