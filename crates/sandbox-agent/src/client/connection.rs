//! Connections to ports.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use sandbox_core::{BoxConnection, Result};

use super::guard::ChannelGuard;
use super::lines::end_of;
use super::{Session, nonsense};
use crate::protocol::{Reply, Request, Tag};

pub(super) async fn connect(session: &Arc<Session>, port: u16) -> Result<BoxConnection> {
    let operation = "agent.connect_port";
    let channel = ChannelGuard::open_stream(session, operation, &Request::Connect { port }).await?;
    match channel.reply().await? {
        Reply::Done => Ok(Box::new(Connection {
            channel,
            rest: Bytes::new(),
            read_ended: false,
        })),
        _ => Err(nonsense(operation)),
    }
}

struct Connection {
    channel: ChannelGuard,
    rest: Bytes,
    read_ended: bool,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while self.rest.is_empty() {
            if self.read_ended || buffer.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let (tag, data) = ready!(self.channel.poll_record(context)).map_err(broken)?;
            match tag {
                Tag::Bytes => self.rest = data,
                _ => {
                    self.read_ended = true;
                    end_of(self.channel.operation, &data).map_err(broken)?;
                }
            }
        }
        let len = buffer.len().min(self.rest.len());
        buffer[..len].copy_from_slice(&self.rest.split_to(len));
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match ready!(self.channel.poll_send(context, data)).map_err(broken)? {
            0 => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was taken is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.end();
        Poll::Ready(Ok(()))
    }
}

fn broken(error: sandbox_core::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
