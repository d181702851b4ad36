//! Sockets of the sandbox's network, under its egress policy, and names.
//!
//! A connected socket is read and written as any descriptor: `File::from(fd)`, or [`crate::fd`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::errno::check;
use crate::raw;

/// What a socket carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// TCP.
    Stream = 1,
    /// UDP.
    Datagram = 2,
    /// Echo requests of ICMP, and their replies. Ports mean nothing.
    Echo = 3,
}

fn family(addr: &SocketAddr) -> u32 {
    if addr.is_ipv4() { 4 } else { 6 }
}

fn encode(addr: &SocketAddr) -> [u8; 24] {
    let mut out = [0; 24];
    out[0] = if addr.is_ipv4() { 4 } else { 6 };
    out[2..4].copy_from_slice(&addr.port().to_le_bytes());
    match addr.ip() {
        IpAddr::V4(ip) => out[8..12].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out[8..24].copy_from_slice(&ip.octets()),
    }
    out
}

fn decode(bytes: &[u8; 24]) -> SocketAddr {
    let port = u16::from_le_bytes([bytes[2], bytes[3]]);
    let mut ip = [0; 16];
    ip.copy_from_slice(&bytes[8..]);
    let ip = match bytes[0] {
        4 => IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])),
        _ => IpAddr::V6(Ipv6Addr::from(ip)),
    };
    SocketAddr::new(ip, port)
}

/// A socket; closed when dropped.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// An unconnected socket of the family of `addr`.
    pub fn open(addr: &SocketAddr, kind: Kind) -> io::Result<Self> {
        let mut fd = 0;
        check(raw::sock_open(family(addr), kind as u32, &mut fd))?;
        Ok(Self(raw::owned(fd)))
    }

    /// A TCP connection to `addr`. Fails with `ACCES` when the policy denies it.
    pub fn connect(addr: &SocketAddr) -> io::Result<Self> {
        let socket = Self::open(addr, Kind::Stream)?;
        socket.connect_to(addr)?;
        Ok(socket)
    }

    /// A TCP listener at `addr`; port 0 chooses one.
    pub fn listen(addr: &SocketAddr, backlog: u32) -> io::Result<Self> {
        let socket = Self::open(addr, Kind::Stream)?;
        socket.bind(addr)?;
        check(raw::sock_listen(socket.number(), backlog))?;
        Ok(socket)
    }

    /// Its descriptor's number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.as_raw_fd().cast_unsigned()
    }

    /// Connects to `addr`; a datagram socket remembers it.
    pub fn connect_to(&self, addr: &SocketAddr) -> io::Result<()> {
        check(raw::sock_connect(self.number(), &encode(addr)))
    }

    /// Takes `addr` for its own.
    pub fn bind(&self, addr: &SocketAddr) -> io::Result<()> {
        check(raw::sock_bind(self.number(), &encode(addr)))
    }

    /// The next connection of a listener.
    pub fn accept(&self) -> io::Result<Self> {
        let mut fd = 0;
        check(raw::sock_accept(self.number(), 0, &mut fd))?;
        Ok(Self(raw::owned(fd)))
    }

    /// Sends one datagram to `addr`; how many bytes.
    pub fn send_to(&self, bytes: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let mut sent = 0;
        check(raw::sock_sendto(
            self.number(),
            bytes,
            &encode(addr),
            &mut sent,
        ))?;
        Ok(sent as usize)
    }

    /// Receives one datagram, cut at `buf.len()`: its length and sender.
    pub fn receive_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (mut addr, mut received) = ([0; 24], 0);
        check(raw::sock_recvfrom(
            self.number(),
            buf,
            &mut addr,
            &mut received,
        ))?;
        Ok((received as usize, decode(&addr)))
    }

    /// Its own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let mut addr = [0; 24];
        check(raw::sock_name(self.number(), &mut addr))?;
        Ok(decode(&addr))
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let mut addr = [0; 24];
        check(raw::sock_peer(self.number(), &mut addr))?;
        Ok(decode(&addr))
    }

    /// Says that nothing more is written (the other side reads the end).
    pub fn shutdown_write(&self) -> io::Result<()> {
        const WRITE: u32 = 2;
        check(raw::sock_shutdown(self.number(), WRITE))
    }

    /// How long receiving (and accepting) may wait; `None` for ever.
    pub fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(0, timeout)
    }

    /// How long sending (and connecting) may wait; `None` for ever.
    pub fn set_send_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(1, timeout)
    }

    fn set_timeout(&self, kind: u32, timeout: Option<Duration>) -> io::Result<()> {
        // 0 means none to the kernel, so a timeout of zero becomes the shortest there is.
        let ns = timeout.map_or(0, |timeout| {
            u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1)
        });
        check(raw::sock_set_timeout(self.number(), kind, ns))
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.0
    }
}

/// The addresses of `name` (at most 16), with `port`. Fails with `ACCES` when the policy denies the name.
pub fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (mut out, mut count) = ([[0; 24]; 16], 0);
    check(raw::resolve(name.as_bytes(), 0, &mut out, &mut count))?;
    let found = out.iter().take(count as usize).map(decode);
    Ok(found.map(|addr| SocketAddr::new(addr.ip(), port)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_encoding() {
        for text in [
            "127.0.0.1:80",
            "255.1.2.3:65535",
            "[::1]:443",
            "[2001:db8::7]:1",
        ] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(&encode(&addr)), addr);
        }
    }
}
