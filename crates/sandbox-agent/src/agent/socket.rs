//! Connections to ports inside.
#![expect(unsafe_code, reason = "addresses of interfaces come from a C function")]

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use sandbox_core::ErrorKind;

use super::channel::Channel;
use super::files::{end, refuse};
use super::sys::fd::{self, check, own};
use super::sys::poller::{READ, Registered, WRITE};
use super::{Agent, Source};
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{DATA_CHUNK, Reply, Tag, WireError};

/// A connection on a channel.
#[derive(Debug)]
pub(super) struct Relay {
    socket: Option<Registered>,
    /// Where it is still to be tried, while it does not stand.
    untried: Option<VecDeque<SocketAddr>>,
    port: u16,
    read_ended: bool,
    blocked: bool,
    pub(super) out: Outflow,
    pub(super) inn: Inflow,
}

impl Agent {
    pub(super) fn connect(&mut self, channel: u32, port: u16) {
        let relay = Relay {
            socket: None,
            untried: Some(candidates(port)),
            port,
            read_ended: false,
            blocked: false,
            out: Outflow::default(),
            inn: Inflow::default(),
        };
        self.channels
            .insert(channel, Channel::Socket(Box::new(relay)));
        self.try_next(channel);
    }

    fn relay(&mut self, channel: u32) -> Option<&mut Relay> {
        match self.channels.get_mut(&channel) {
            Some(Channel::Socket(relay)) => Some(relay),
            Some(_) | None => None,
        }
    }

    /// Tries the next address; when there is none left, nothing listens.
    fn try_next(&mut self, channel: u32) {
        loop {
            let Some(relay) = self.relay(channel) else {
                return;
            };
            let Some(untried) = &mut relay.untried else {
                return;
            };
            let Some(address) = untried.pop_front() else {
                let message = format!("nothing listens on port {}", relay.port);
                self.close_channel(channel);
                let error = refuse(ErrorKind::Unavailable, "port", message);
                return self.reply(channel, Err(error));
            };
            let Ok(socket) = start_connecting(&address) else {
                continue;
            };
            let mut socket = self.poller.add(socket, Source::Socket(channel));
            self.want(&mut socket, WRITE);
            if let Some(relay) = self.relay(channel) {
                relay.socket = Some(socket);
            }
            return;
        }
    }

    pub(super) fn socket_ready(&mut self, channel: u32, writable: bool) {
        let Some(relay) = self.relay(channel) else {
            return;
        };
        if relay.untried.is_some() {
            self.connecting_ended(channel);
            return;
        }
        if writable {
            self.write_socket(channel);
        }
        self.read_socket(channel);
    }

    fn connecting_ended(&mut self, channel: u32) {
        let Some(relay) = self.relay(channel) else {
            return;
        };
        let Some(socket) = relay.socket.take() else {
            return;
        };
        if !is_connected(&socket) {
            self.poller.remove(socket);
            return self.try_next(channel);
        }
        relay.socket = Some(socket);
        relay.untried = None;
        self.reply(channel, Ok(Reply::Done));
        self.write_socket(channel);
        self.read_socket(channel);
    }

    /// Reads as far as the window allows.
    pub(super) fn read_socket(&mut self, channel: u32) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(relay) = self.relay(channel)
            && relay.read(&mut buffer)
        {
            self.ready_now(channel);
        }
        self.buffer = buffer;
        self.update_socket(channel);
    }

    /// Writes what has arrived, as far as it goes.
    pub(super) fn write_socket(&mut self, channel: u32) {
        let Some(relay) = self.relay(channel) else {
            return;
        };
        let taken = relay.write();
        let due = relay.inn.is_ack_due() || relay.inn.front().is_none();
        if due && let Some(offset) = relay.inn.acknowledge() {
            self.acknowledge(channel, offset);
        }
        if !taken {
            self.refuse_data(channel);
        }
        self.update_socket(channel);
    }

    fn update_socket(&mut self, channel: u32) {
        let Some(relay) = self.relay(channel) else {
            return;
        };
        if relay.untried.is_some() {
            return;
        }
        let read = !relay.read_ended && relay.out.room() > 0;
        let interest = if read { READ } else { 0 } | if relay.blocked { WRITE } else { 0 };
        if let Some(mut socket) = relay.socket.take() {
            self.want(&mut socket, interest);
            if let Some(relay) = self.relay(channel) {
                relay.socket = Some(socket);
            }
        }
    }

    pub(super) fn close_socket(&mut self, relay: Relay) {
        if let Some(socket) = relay.socket {
            self.poller.remove(socket);
        }
    }
}

impl Relay {
    /// Reads once; true when there is something to send.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let room = self.out.room().min(2 * DATA_CHUNK).min(buffer.len());
        let Some(socket) = self.socket.as_ref().filter(|_| !self.read_ended) else {
            return false;
        };
        if room == 0 || self.untried.is_some() {
            return false;
        }
        match fd::read(socket.as_raw_fd(), &mut buffer[..room]) {
            Ok(0) => self.end_reading(Ok(())),
            Ok(got) => self.out.push(Tag::Bytes, buffer[..got].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => {
                let message = format!("the connection broke: {error}");
                self.end_reading(Err(WireError::new(ErrorKind::Unavailable, message)));
            }
        }
        true
    }

    fn end_reading(&mut self, result: Result<(), WireError>) {
        self.read_ended = true;
        self.out.push(Tag::End, end(result));
    }

    /// Writes what waits; false when the other side takes no more.
    fn write(&mut self) -> bool {
        let Some(socket) = self.socket.as_ref().filter(|_| self.untried.is_none()) else {
            return true;
        };
        let raw = socket.as_raw_fd();
        self.blocked = false;
        while let Some((tag, data)) = self.inn.front() {
            if tag != Tag::Bytes {
                let len = data.len();
                self.inn.consume(len);
                shut_down_writing(raw);
                continue;
            }
            match fd::write(raw, data) {
                Ok(put) => self.inn.consume(put),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return true;
                }
                Err(_) => {
                    self.inn.discard();
                    return false;
                }
            }
        }
        true
    }
}

fn shut_down_writing(raw: i32) {
    // SAFETY: no memory is involved. A connection that is gone already needs no end.
    unsafe { libc::shutdown(raw, libc::SHUT_WR) };
}

/// Where a server may listen: the loopback, and every address of the sandbox.
fn candidates(port: u16) -> VecDeque<SocketAddr> {
    let mut addresses = vec![
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    for address in own_addresses() {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let addresses = addresses.into_iter();
    addresses.map(|one| SocketAddr::new(one, port)).collect()
}

/// The addresses of this sandbox's interfaces, but those that need a scope.
fn own_addresses() -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the function fills the pointer with a list that freeifaddrs frees; each address is
    // as long as its family says, and read unaligned.
    unsafe {
        if libc::getifaddrs(&mut first) != 0 {
            return found;
        }
        let mut next = first;
        while let Some(interface) = next.as_ref() {
            found.extend(address(interface.ifa_addr));
            next = interface.ifa_next;
        }
        libc::freeifaddrs(first);
    }
    found
}

/// # Safety
/// `address` is null or a socket address as long as its family says.
unsafe fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller vouches for it.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                let v6 = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                (!v6.is_unicast_link_local()).then_some(v6.into())
            }
            _ => None,
        }
    }
}

fn start_connecting(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is involved.
    let socket = own(unsafe { libc::socket(family, kind, 0) })?;
    let result = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: zeros are a valid sockaddr_in.
            let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = v4.port().to_be();
            name.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            // SAFETY: the kernel reads one sockaddr_in.
            check(unsafe {
                let size = size_of_val(&name) as libc::socklen_t;
                libc::connect(socket.as_raw_fd(), (&raw const name).cast(), size)
            })
        }
        SocketAddr::V6(v6) => {
            // SAFETY: zeros are a valid sockaddr_in6.
            let mut name: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = v6.port().to_be();
            name.sin6_addr.s6_addr = v6.ip().octets();
            // SAFETY: the kernel reads one sockaddr_in6.
            check(unsafe {
                let size = size_of_val(&name) as libc::socklen_t;
                libc::connect(socket.as_raw_fd(), (&raw const name).cast(), size)
            })
        }
    };
    match result {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(_) | Err(_) => Ok(socket),
    }
}

fn is_connected(socket: &Registered) -> bool {
    // SAFETY: the stream is never dropped, so the descriptor stays its owner's.
    let stream = std::mem::ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(socket.as_raw_fd()) });
    let _ = stream.set_nodelay(true);
    matches!(stream.take_error(), Ok(None)) && stream.peer_addr().is_ok()
}
