//! `wasi:io` streams over open file descriptions.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use super::CHUNK_BYTES;
use super::error::stream_error;
use crate::kernel::{Charge, Description, Errno, Fd, Object, Process, Result};
use crate::wasi::shared::{die_if_doomed, write_some};

/// Where a stream is in a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cursor {
    /// Where the description is, which others may share.
    Shared,
    /// At a place of its own.
    At(u64),
    /// Always at the end.
    End,
}

/// What descriptor `fd` of the process is, if it is open.
fn standard(process: &Process, fd: Fd) -> Option<Arc<Description>> {
    let descriptors = process.descriptors.lock();
    descriptors
        .get(fd)
        .ok()
        .map(|descriptor| descriptor.description.clone())
}

/// Reads from a description.
pub(super) struct Reader {
    /// `None`: there is nothing to read.
    description: Option<Arc<Description>>,
    cursor: Cursor,
}

impl Reader {
    pub(super) fn new(description: Arc<Description>, cursor: Cursor) -> Self {
        Self {
            description: Some(description),
            cursor,
        }
    }

    /// Reads from descriptor `fd`; one that is closed is at its end.
    pub(super) fn standard(process: &Process, fd: Fd) -> Self {
        Self {
            description: standard(process, fd),
            cursor: Cursor::Shared,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, size: usize) -> Poll<StreamResult<Bytes>> {
        let Some(description) = &self.description else {
            return Poll::Ready(Err(StreamError::Closed));
        };
        if !description.read {
            return Poll::Ready(Err(stream_error(Errno::BADF)));
        }
        let mut buffer = vec![0; size.min(CHUNK_BYTES)];
        let count = ready!(read(description, &mut self.cursor, cx, &mut buffer));
        Poll::Ready(match count {
            Ok(0) => Err(StreamError::Closed),
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer.into())
            }
            Err(errno) => Err(stream_error(errno)),
        })
    }
}

/// Reads into `buffer`, which is not empty; 0 at the end.
pub(super) fn read(
    from: &Description,
    cursor: &mut Cursor,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<Result<usize>> {
    match &from.object {
        Object::File(handle) => {
            let mut shared = from.position.lock();
            let position = match cursor {
                Cursor::At(position) => position,
                Cursor::Shared | Cursor::End => &mut *shared,
            };
            let count = handle
                .files()
                .lock()
                .read_at(handle.get(), *position, buffer)?;
            *position += count as u64;
            Poll::Ready(Ok(count))
        }
        Object::Directory(_) => Poll::Ready(Err(Errno::ISDIR)),
        _ => from.poll_read(cx, buffer),
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        if let Some(description) = self.description.as_ref().filter(|d| d.is_stream()) {
            poll_fn(|cx| description.poll_ready(cx, false)).await;
        }
    }
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        match self.poll_read(&mut Context::from_waker(Waker::noop()), size) {
            Poll::Ready(read) => read,
            Poll::Pending => Ok(Bytes::new()),
        }
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        poll_fn(|cx| self.poll_read(cx, size)).await
    }
}

/// Writes to a description. What it was given and could not write yet it keeps, charged to the
/// sandbox, and takes nothing new until that is gone.
pub(super) struct Writer {
    process: Arc<Process>,
    /// `None`: nobody takes what is written.
    description: Option<Arc<Description>>,
    cursor: Cursor,
    kept: Option<(Bytes, Charge)>,
    /// What the component may write before it asks again.
    permit: usize,
    /// Why writing failed, until the component has heard of it.
    failed: Option<StreamError>,
}

impl Writer {
    pub(super) fn new(
        process: &Arc<Process>,
        description: Option<Arc<Description>>,
        cursor: Cursor,
    ) -> Self {
        Self {
            process: process.clone(),
            description,
            cursor,
            kept: None,
            permit: 0,
            failed: None,
        }
    }

    /// Writes to descriptor `fd`; one that is closed takes nothing.
    pub(super) fn standard(process: &Arc<Process>, fd: Fd) -> Self {
        Self::new(process, standard(process, fd), Cursor::Shared)
    }

    /// Writes what is kept; then how many bytes it takes at once, at least one.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<StreamResult<usize>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if let Some((mut bytes, charge)) = self.kept.take() {
            while !bytes.is_empty() {
                match self.poll_write(cx, &bytes) {
                    Poll::Ready(Ok(count)) => bytes.advance(count),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        self.kept = Some((bytes, charge));
                        return Poll::Pending;
                    }
                }
            }
        }
        let Some(description) = &self.description else {
            return Poll::Ready(Err(StreamError::Closed));
        };
        if !description.is_stream() {
            return Poll::Ready(Ok(CHUNK_BYTES));
        }
        let room = ready!(description.poll_ready(cx, true));
        // Whoever writes to what nobody reads is to hear of it.
        let bytes = if room.hang_up {
            CHUNK_BYTES as u64
        } else {
            room.bytes
        };
        Poll::Ready(Ok(bytes.clamp(1, CHUNK_BYTES as u64) as usize))
    }

    /// Writes at least one byte of `bytes`, which are some. An error is the stream's end.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<StreamResult<usize>> {
        let Some(description) = &self.description else {
            return Poll::Ready(Err(StreamError::Closed));
        };
        let by = (&*self.process, &mut self.cursor);
        let errno = match ready!(write(description, by, cx, bytes)) {
            Ok(count) => return Poll::Ready(Ok(count)),
            Err(errno) => errno,
        };
        let ended = self.description.take();
        if errno == Errno::PIPE {
            // Who writes to a connection that is closed is told, and lives on.
            if !ended.is_some_and(|ended| matches!(ended.object, Object::Socket(_))) {
                self.process.broken_pipe();
            }
            return Poll::Ready(Err(StreamError::Closed));
        }
        Poll::Ready(Err(stream_error(errno)))
    }

    async fn write_all(&mut self, bytes: Bytes) -> StreamResult<()> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        if !bytes.is_empty() {
            self.keep(bytes)?;
            poll_fn(|cx| self.poll_room(cx)).await?;
        }
        Ok(())
    }

    /// Does not return when the process has written to what nobody reads and ends of it.
    async fn die_of_a_broken_pipe(&self) {
        die_if_doomed(&self.process).await;
    }

    fn keep(&mut self, bytes: Bytes) -> StreamResult<()> {
        let memory = &self.process.machine.memory;
        let charge = Charge::take(memory, bytes.len() as u64);
        let charge = charge.ok_or_else(|| stream_error(Errno::NOMEM))?;
        self.kept = Some((bytes, charge));
        Ok(())
    }

    /// As [`poll_room`](Self::poll_room), and lets the component write so much.
    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<StreamResult<usize>> {
        let room = self.poll_room(cx);
        if let Poll::Ready(Ok(bytes)) = &room {
            self.permit = *bytes;
        }
        room
    }
}

pub(super) fn write(
    to: &Description,
    (process, cursor): (&Process, &mut Cursor),
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<Result<usize>> {
    if !to.write {
        return Poll::Ready(Err(Errno::BADF));
    }
    let Object::File(handle) = &to.object else {
        return to.poll_write(cx, process, bytes);
    };
    let by = process.machine.caller(process.user);
    let mut shared = to.position.lock();
    let mut files = handle.files().lock();
    let appends =
        matches!(cursor, Cursor::End) || to.append.load(std::sync::atomic::Ordering::Relaxed);
    let mut end;
    let position = match cursor {
        _ if appends => {
            end = files.metadata_of(handle.get())?.size;
            &mut end
        }
        Cursor::At(position) => position,
        Cursor::Shared | Cursor::End => &mut *shared,
    };
    let count = write_some(&mut files, handle, *position, bytes, by)?;
    *position += u64::from(count);
    Poll::Ready(Ok(count as usize))
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        // An error is for the call that comes next: here nobody could see it.
        self.failed = poll_fn(|cx| self.poll_room(cx)).await.err();
        self.die_of_a_broken_pipe().await;
    }
}

#[async_trait]
impl OutputStream for Writer {
    fn check_write(&mut self) -> StreamResult<usize> {
        match self.poll_permit(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(room) => room,
            Poll::Pending => Ok(0),
        }
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.permit {
            return Err(StreamError::trap(
                "more was written than check-write allowed",
            ));
        }
        self.permit -= bytes.len();
        if self.kept.is_some() {
            return Err(StreamError::trap("written before check-write allowed it"));
        }
        self.keep(bytes)?;
        let room = self.poll_room(&mut Context::from_waker(Waker::noop()));
        match room {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        // What is kept is on its way already; `check-write` and `ready` wait for it.
        self.check_write().map(|_| ())
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let done = self.write_all(bytes).await;
        self.die_of_a_broken_pipe().await;
        done
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        poll_fn(|cx| self.poll_permit(cx)).await
    }
}
