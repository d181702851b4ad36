//! Reading and writing what can wait: pipes, the host's streams, sockets.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::{Context, Poll};

use wasmtime::Caller;

use super::iovec::Buffers;
use super::memory::Guest;
use super::transfer::Stream;
use crate::engine::ProcessState;
use crate::kernel::{Description, Errno, Object, PIPE_ATOMIC_BYTES, PIPE_BYTES, Process, Result};

/// Reads what is there, and waits for the first byte.
///
/// # Errors
/// `AGAIN` instead of waiting for a descriptor that does not block, `INTR`; the socket's.
pub(super) async fn read(caller: &mut Caller<'_, ProcessState>, stream: &Stream) -> Result<u32> {
    let process = caller.data().process.clone();
    let description = &stream.description;
    let read = poll_fn(|cx| {
        let mut memory = Guest::of(caller)?;
        match poll_read(description, cx, &mut memory, &stream.buffers) {
            Poll::Pending if description.is_nonblocking() => Poll::Ready(Err(Errno::AGAIN)),
            poll => poll,
        }
    });
    process.interruptible(read).await
}

fn poll_read(
    from: &Description,
    cx: &mut Context<'_>,
    memory: &mut Guest<'_>,
    buffers: &Buffers,
) -> Poll<Result<u32>> {
    if let Some((start, len)) = buffers.single() {
        let into = memory.bytes_mut(start, len)?;
        return from.poll_read(cx, into).map_ok(|count| count as u32);
    }
    let mut all = vec![0; PIPE_BYTES.min(buffers.total() as usize)];
    from.poll_read(cx, &mut all).map(|read| {
        let count = read?;
        buffers.scatter(memory, 0, &all[..count])?;
        Ok(count as u32)
    })
}

/// Writes everything, and waits for the room; a signal or an error on the way ends it with what
/// was written until then.
///
/// # Errors
/// `AGAIN` instead of waiting for a descriptor that does not block, `INTR`, `PIPE` when nobody
/// reads and the process does not die of that; the socket's.
pub(super) async fn write(caller: &mut Caller<'_, ProcessState>, stream: &Stream) -> Result<u32> {
    let process = caller.data().process.clone();
    let description = &stream.description;
    let mut moved = 0;
    let write = poll_fn(|cx| {
        let memory = Guest::of(caller)?;
        loop {
            match poll_write(description, &process, cx, &memory, &stream.buffers, moved) {
                Poll::Ready(Ok(count)) => moved += count,
                Poll::Ready(Err(errno)) => return Poll::Ready(Err(errno)),
                Poll::Pending if description.is_nonblocking() => {
                    return Poll::Ready(Err(Errno::AGAIN));
                }
                Poll::Pending => return Poll::Pending,
            }
            if moved >= stream.buffers.total() {
                return Poll::Ready(Ok(()));
            }
        }
    });
    match process.interruptible(write).await {
        Ok(()) => Ok(moved),
        Err(_) if moved > 0 => Ok(moved),
        Err(Errno::PIPE) => {
            let errno = process.broken_pipe();
            super::process::die_if_doomed(&process).await;
            Err(errno)
        }
        Err(errno) => Err(errno),
    }
}

fn poll_write(
    to: &Description,
    process: &Process,
    cx: &mut Context<'_>,
    memory: &Guest<'_>,
    buffers: &Buffers,
    moved: u32,
) -> Poll<Result<u32>> {
    let whole = match &to.object {
        Object::Socket(socket) => !socket.is_stream(),
        _ => buffers.total() as usize <= PIPE_ATOMIC_BYTES,
    };
    // What must go in one piece is copied together; a long write goes buffer by buffer, so that
    // nothing is held while it waits.
    let bytes = if whole {
        buffers.gather(memory)?
    } else {
        Cow::Borrowed(buffers.from(memory, moved)?)
    };
    to.poll_write(cx, process, &bytes)
        .map_ok(|count| count as u32)
}
