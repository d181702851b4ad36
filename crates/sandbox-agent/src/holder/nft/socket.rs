//! The netlink socket.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::batch::{Batch, SUBSYSTEM};

const NETLINK_NETFILTER: i32 = 12;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Far above what a transaction or a page of a dump takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket whose reads wait for `patience`, or for ever.
pub(super) fn open(patience: Option<Duration>) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::from(libc::AF_NETLINK),
        Type::RAW,
        Some(Protocol::from(NETLINK_NETFILTER)),
    )?;
    socket.set_read_timeout(patience)?;
    Ok(socket)
}

/// Carries out transactions over one socket. Closing a socket makes the kernel wait until what
/// it replaced is gone from every processor, which takes longer than the transaction.
#[derive(Debug, Default)]
pub(crate) struct Session(Option<Socket>);

impl Session {
    /// Carries out `batch`. On an error nothing of it is in force.
    pub(crate) fn commit(&mut self, batch: Batch) -> io::Result<()> {
        self.exchange(|socket| commit(socket, batch))
    }

    /// Sends one dump request and returns the attributes of every answer of type `kind`.
    pub(crate) fn dump(&mut self, request: &[u8], kind: u16) -> io::Result<Vec<Vec<u8>>> {
        self.exchange(|socket| dump(socket, request, kind))
    }

    fn exchange<T>(&mut self, work: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
        let socket = match self.0.take() {
            Some(socket) => socket,
            None => open(Some(PATIENCE))?,
        };
        let done = work(&socket)?;
        // Only a socket whose every answer was read is used again.
        self.0 = Some(socket);
        Ok(done)
    }
}

fn commit(socket: &Socket, batch: Batch) -> io::Result<()> {
    let (bytes, last) = batch.finish();
    // The whole batch is one datagram; answers quote the messages they are about.
    make_room(socket, bytes.len())?;
    socket.set_recv_buffer_size(bytes.len().max(1 << 20))?;
    socket.send(&bytes)?;
    loop {
        for message in receive(socket)? {
            if message.kind != ERROR {
                continue;
            }
            let code = message.body.get(..4).and_then(|code| code.try_into().ok());
            let code = code.map_or(-libc::EPROTO, i32::from_ne_bytes);
            if code != 0 {
                return Err(io::Error::from_raw_os_error(-code));
            }
            if message.sequence == last {
                return Ok(());
            }
        }
    }
}

/// Lets `socket` send a datagram of `length` bytes. The kernel refuses a larger one than the buffer,
/// and clamps the buffer to the machine's `net.core.wmem_max` unless CAP_NET_ADMIN asks.
fn make_room(socket: &Socket, length: usize) -> io::Result<()> {
    let wanted = length.max(1 << 18);
    // Old kernels want the capability on the whole machine: then what it gives has to do.
    force_send_buffer_size(socket, wanted).or_else(|_| socket.set_send_buffer_size(wanted))
}

#[expect(unsafe_code, reason = "setsockopt is a C function")]
fn force_send_buffer_size(socket: &Socket, size: usize) -> io::Result<()> {
    let size = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&size) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the pointer is to an int that outlives the call.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUFFORCE,
            (&raw const size).cast(),
            length,
        )
    };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What stands before the attributes.
const FAMILY_HEADER: usize = 4;

fn dump(socket: &Socket, request: &[u8], kind: u16) -> io::Result<Vec<Vec<u8>>> {
    socket.send(request)?;
    let mut found = Vec::new();
    loop {
        for message in receive(socket)? {
            match message.kind {
                DONE => return Ok(found),
                ERROR => {
                    let code = message.body.get(..4).and_then(|code| code.try_into().ok());
                    let code = code.map_or(-libc::EPROTO, i32::from_ne_bytes);
                    return Err(io::Error::from_raw_os_error(-code));
                }
                other if other == SUBSYSTEM << 8 | kind => {
                    found.extend(message.body.get(FAMILY_HEADER..).map(<[u8]>::to_vec));
                }
                _ => {}
            }
        }
    }
}

pub(super) struct Message {
    pub(super) kind: u16,
    sequence: u32,
    body: Vec<u8>,
}

impl Message {
    pub(super) fn attributes(&self) -> &[u8] {
        self.body.get(FAMILY_HEADER..).unwrap_or_default()
    }
}

pub(super) fn receive(socket: &Socket) -> io::Result<Vec<Message>> {
    let mut buffer = vec![0; 1 << 16];
    let mut reader = socket;
    let length = loop {
        match reader.read(&mut buffer) {
            // A process that was stopped and goes on: the answer is still to come.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    buffer.truncate(length);
    let (mut rest, mut messages) = (&buffer[..], Vec::new());
    while let Some((message, length)) = split(rest) {
        messages.push(message);
        rest = rest.get(length..).unwrap_or_default();
    }
    if messages.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::EPROTO));
    }
    Ok(messages)
}

fn split(bytes: &[u8]) -> Option<(Message, usize)> {
    const HEADER: usize = 16;
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let message = Message {
        kind: u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?),
        sequence: u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?),
        body: bytes.get(HEADER..length)?.to_vec(),
    };
    Some((message, length.next_multiple_of(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_datagram_may_be_larger_than_the_machine_lets_others_send() {
        let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        let socket = open(Some(PATIENCE)).unwrap();
        make_room(&socket, 3 * limit).unwrap();
        assert!(socket.send_buffer_size().unwrap() > 3 * limit);
    }
}
