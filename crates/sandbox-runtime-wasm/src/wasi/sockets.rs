//! The socket calls of preview 1. What a socket does is the network's; opening and connecting one
//! is `sandbox_v0`'s.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use wasmtime::Caller;

use super::call::Call;
use super::descriptors::set_flags;
use super::iovec::Buffers;
use super::layout::fdflags;
use super::link::{Answer, call, done, later};
use super::memory::Guest;
use super::stream;
use super::transfer::Stream;
use crate::engine::ProcessState;
use crate::kernel::{Description, Descriptor, Errno, Fd, Object, PIPE_BYTES, Result, Socket};

const RECEIVE_PEEK: u32 = 1;
const RECEIVE_WAIT_ALL: u32 = 1 << 1;
const DATA_TRUNCATED: u16 = 1;
const SHUT_READ: u32 = 1;
const SHUT_WRITE: u32 = 1 << 1;

impl Call<'_> {
    /// The description of a socket, and the socket.
    fn socket(&self, fd: Fd) -> Result<(Arc<Description>, Arc<dyn Socket>)> {
        let description = self.description(fd)?;
        let socket = match &description.object {
            Object::Socket(socket) => socket.clone(),
            _ => return Err(Errno::NOTSOCK),
        };
        Ok((description, socket))
    }

    pub(super) fn sock_shutdown(&mut self, fd: Fd, how: u32) -> Result<()> {
        let (_, socket) = self.socket(fd)?;
        if how == 0 || how & !(SHUT_READ | SHUT_WRITE) != 0 {
            return Err(Errno::INVAL);
        }
        socket.shut_down(how & SHUT_READ != 0, how & SHUT_WRITE != 0)
    }

    fn begin_accept(
        &mut self,
        fd: Fd,
        flags: u32,
        out: u32,
    ) -> Result<(Arc<Description>, Arc<dyn Socket>)> {
        if flags & !u32::from(fdflags::NONBLOCK) != 0 {
            return Err(Errno::INVAL);
        }
        self.memory.check(out, 4)?;
        let socket = self.socket(fd)?;
        if self.process.descriptors.lock().is_full() {
            return Err(Errno::MFILE);
        }
        Ok(socket)
    }

    fn begin_receive(
        &mut self,
        fd: Fd,
        list: u32,
        count: u32,
        (out, out_flags): (u32, u32),
    ) -> Result<(Stream, Arc<dyn Socket>)> {
        let (description, socket) = self.socket(fd)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        self.memory.check(out_flags, 2)?;
        Ok((
            Stream {
                description,
                buffers,
            },
            socket,
        ))
    }

    fn begin_send(&mut self, fd: Fd, list: u32, count: u32, out: u32) -> Result<Stream> {
        let (description, _) = self.socket(fd)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        Ok(Stream {
            description,
            buffers,
        })
    }
}

pub(super) fn accept(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    flags: u32,
    out: u32,
) -> Answer<'_> {
    let (description, socket) = match call(&mut caller, |call| call.begin_accept(fd, flags, out)) {
        Ok(begun) => begun,
        Err(errno) => return done(Err(errno)),
    };
    later(async move {
        let process = caller.data().process.clone();
        let accepted = poll_fn(|cx| match socket.poll_accept(cx) {
            Poll::Pending if description.is_nonblocking() => Poll::Ready(Err(Errno::AGAIN)),
            poll => poll,
        });
        let object = Object::Socket(process.interruptible(accepted).await?);
        let accepted = Description::new(object, true, true);
        set_flags(&accepted, flags as u16);
        let descriptor = Descriptor::new(accepted);
        let fd = process.descriptors.lock().insert(descriptor, 0)?;
        Guest::of(&mut caller)?.write_u32(out, fd)
    })
}

pub(super) fn receive(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    list: u32,
    count: u32,
    flags: u32,
    out: u32,
    out_flags: u32,
) -> Answer<'_> {
    if flags & !(RECEIVE_PEEK | RECEIVE_WAIT_ALL) != 0 {
        return done(Err(Errno::INVAL));
    }
    let outs = (out, out_flags);
    let (stream, socket) = match call(&mut caller, |call| {
        call.begin_receive(fd, list, count, outs)
    }) {
        Ok(begun) => begun,
        Err(errno) => return done(Err(errno)),
    };
    later(async move {
        let mut receiving = Receiving {
            stream,
            socket,
            peek: flags & RECEIVE_PEEK != 0,
            wait_all: flags & RECEIVE_WAIT_ALL != 0,
            moved: 0,
        };
        let cut = receiving.run(&mut caller).await?;
        let mut memory = Guest::of(&mut caller)?;
        memory.write_u32(out, receiving.moved)?;
        let flags = if cut { DATA_TRUNCATED } else { 0 };
        memory.write(out_flags, &flags.to_le_bytes())
    })
}

/// A `sock_recv` under way.
struct Receiving {
    stream: Stream,
    socket: Arc<dyn Socket>,
    peek: bool,
    wait_all: bool,
    moved: u32,
}

impl Receiving {
    /// Answers whether a datagram was cut off.
    async fn run(&mut self, caller: &mut Caller<'_, ProcessState>) -> Result<bool> {
        let process = caller.data().process.clone();
        let receive = poll_fn(|cx| {
            loop {
                let mut memory = Guest::of(caller)?;
                let total = self.stream.buffers.total() - self.moved;
                let mut bytes = vec![0; PIPE_BYTES.min(total as usize)];
                let nonblocking = self.stream.description.is_nonblocking();
                let (count, cut) = match self.socket.poll_receive(cx, &mut bytes, self.peek) {
                    Poll::Ready(received) => received?,
                    Poll::Pending if nonblocking => return Poll::Ready(Err(Errno::AGAIN)),
                    Poll::Pending => return Poll::Pending,
                };
                let buffers = &self.stream.buffers;
                buffers.scatter(&mut memory, self.moved, &bytes[..count])?;
                self.moved += count as u32;
                let more = self.wait_all
                    && !self.peek
                    && self.socket.is_stream()
                    && count > 0
                    && self.moved < buffers.total();
                if !more {
                    return Poll::Ready(Ok(cut));
                }
            }
        });
        match process.interruptible(receive).await {
            // What has come is not lost because more did not.
            Err(_) if self.moved > 0 => Ok(false),
            cut => cut,
        }
    }
}

pub(super) fn send(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    list: u32,
    count: u32,
    flags: u32,
    out: u32,
) -> Answer<'_> {
    if flags != 0 {
        return done(Err(Errno::INVAL));
    }
    match call(&mut caller, |call| call.begin_send(fd, list, count, out)) {
        Err(errno) => done(Err(errno)),
        Ok(stream) => later(async move {
            let moved = stream::write(&mut caller, &stream).await?;
            Guest::of(&mut caller)?.write_u32(out, moved)
        }),
    }
}
