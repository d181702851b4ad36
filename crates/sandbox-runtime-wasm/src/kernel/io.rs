//! Reading and writing of whatever a descriptor stands for.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::description::{Description, Object, Ready};
use super::errno::{Errno, Result};
use super::files::OpenHandle;
use super::process::Process;

impl Description {
    /// Reads at the position, 0 bytes at the end.
    ///
    /// # Errors
    /// `BADF` when it is not open for reading, `ISDIR`, those of sockets.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        if !self.read {
            return Poll::Ready(Err(Errno::BADF));
        }
        Poll::Ready(match &self.object {
            Object::File(handle) => self.read_file(handle, into),
            Object::Directory(_) => Err(Errno::ISDIR),
            Object::PipeReader(pipe) => return pipe.poll_read(cx, into).map(Ok),
            Object::PipeWriter(_) | Object::Output(_) => Err(Errno::BADF),
            Object::Null => Ok(0),
            Object::Zero | Object::Full => {
                into.fill(0);
                Ok(into.len())
            }
            Object::Random(entropy) => {
                let filled = entropy.fill(into);
                if filled {
                    Ok(into.len())
                } else {
                    Err(Errno::IO)
                }
            }
            Object::Socket(socket) => return socket.poll_read(cx, into),
        })
    }

    /// Writes at the position, at least one byte.
    ///
    /// # Errors
    /// `BADF` when it is not open for writing, `PIPE` when nobody reads, `NOSPC`, `FBIG`, `NOBUFS`,
    /// those of sockets.
    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        process: &Process,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if !self.write {
            return Poll::Ready(Err(Errno::BADF));
        }
        Poll::Ready(match &self.object {
            Object::File(handle) => self.write_file(handle, process, bytes),
            Object::Directory(_) | Object::PipeReader(_) => Err(Errno::BADF),
            Object::PipeWriter(pipe) => return pipe.poll_write(cx, bytes),
            Object::Null | Object::Zero | Object::Random(_) => Ok(bytes.len()),
            Object::Full => Err(Errno::NOSPC),
            Object::Output(output) => {
                let written = output.poll_write(cx, bytes);
                if let Poll::Ready(count) = written {
                    let counter = &process.machine.output_bytes;
                    counter.fetch_add(count as u64, Ordering::Relaxed);
                }
                return written.map(Ok);
            }
            Object::Socket(socket) => return socket.poll_write(cx, bytes),
        })
    }

    /// Waits until a read (or, with `write`, a write) would not wait.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>, write: bool) -> Poll<Ready> {
        let ready = |bytes: usize, hang_up| Ready {
            bytes: bytes as u64,
            hang_up,
        };
        match &self.object {
            Object::PipeReader(pipe) if !write => pipe
                .poll_ready(cx)
                .map(|(bytes, ended)| ready(bytes, ended)),
            Object::PipeWriter(pipe) if write => pipe
                .poll_ready(cx)
                .map(|(bytes, broken)| ready(bytes, broken)),
            Object::Output(output) if write => {
                output.poll_ready(cx).map(|bytes| ready(bytes, false))
            }
            Object::Socket(socket) => socket.poll_ready(cx, write),
            Object::File(handle) if !write => Poll::Ready(ready(self.left_in_file(handle), false)),
            _ => Poll::Ready(ready(1, false)),
        }
    }

    fn left_in_file(&self, handle: &OpenHandle) -> usize {
        let position = *self.position.lock();
        let size = handle
            .files()
            .lock()
            .metadata_of(handle.get())
            .map_or(0, |m| m.size);
        usize::try_from(size.saturating_sub(position)).unwrap_or(usize::MAX)
    }

    fn read_file(&self, handle: &OpenHandle, into: &mut [u8]) -> Result<usize> {
        let mut position = self.position.lock();
        let count = handle
            .files()
            .lock()
            .read_at(handle.get(), *position, into)?;
        *position += count as u64;
        Ok(count)
    }

    fn write_file(&self, handle: &OpenHandle, process: &Process, bytes: &[u8]) -> Result<usize> {
        let by = process.machine.caller(process.user);
        let mut position = self.position.lock();
        let mut files = handle.files().lock();
        let offset = if self.append.load(Ordering::Relaxed) {
            files.metadata_of(handle.get())?.size
        } else {
            *position
        };
        *position = files.write_at(handle.get(), offset, bytes, by)?;
        Ok(bytes.len())
    }
}
