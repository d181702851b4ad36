//! Uses of a sandbox that go on: while one of these is held, the sandbox does not count as idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{AsyncRead, AsyncWrite, Stream};
use sandbox_core::{
    BoxConnection, BoxStream, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result, Signal,
};

use crate::access::Access;
use crate::gate::InUse;

/// A stream that somebody reads.
pub(super) struct UsedStream<T> {
    inner: BoxStream<T>,
    _in_use: InUse,
}

impl<T: 'static> UsedStream<T> {
    pub(super) fn boxed(inner: BoxStream<T>, in_use: InUse) -> BoxStream<T> {
        Box::pin(Self {
            inner,
            _in_use: in_use,
        })
    }
}

impl<T> Stream for UsedStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.inner.as_mut().poll_next(cx)
    }
}

/// A connection to a port.
pub(super) struct UsedConnection {
    inner: BoxConnection,
    _in_use: InUse,
}

impl UsedConnection {
    pub(super) fn new(inner: BoxConnection, in_use: InUse) -> Self {
        Self {
            inner,
            _in_use: in_use,
        }
    }
}

impl AsyncRead for UsedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UsedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// A process that was started, or taken up, through a handle. Reading its output and waiting for it
/// are uses; holding it is not.
#[derive(Debug)]
pub(super) struct UsedProcess {
    inner: Arc<dyn Process>,
    access: Access,
}

impl UsedProcess {
    pub(super) fn new(inner: Arc<dyn Process>, access: Access) -> Self {
        Self { inner, access }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for UsedProcess {
    fn pid(&self) -> Pid {
        self.inner.pid()
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let events = self.inner.events()?;
        Some(UsedStream::boxed(events, self.access.in_use()))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        let (_, _in_use) = self.access.enter().await?;
        self.inner.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        let (_, _in_use) = self.access.enter().await?;
        self.inner.close_stdin().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        let _in_use = self.access.in_use();
        self.inner.wait().await
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        let (_, _in_use) = self.access.enter().await?;
        self.inner.signal(signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let (_, _in_use) = self.access.enter().await?;
        self.inner.resize(size).await
    }
}
