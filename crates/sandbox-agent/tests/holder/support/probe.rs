//! Trying to reach something, as a program in the sandbox would.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use sandbox_core::egress::Protocol;
use socket2::{Domain, Protocol as SocketProtocol, Socket, Type};

use super::Namespace;

/// Far more than an answer over a veth pair takes.
const PATIENCE: Duration = Duration::from_millis(400);

/// Whether an echo came back.
pub(crate) fn reaches(sandbox: &Namespace, to: IpAddr, protocol: Protocol) -> bool {
    sandbox.run(|| match protocol {
        Protocol::Tcp(port) => tcp(SocketAddr::new(to, port)).is_ok(),
        Protocol::Udp(port) => udp(SocketAddr::new(to, port), b"probe").is_ok(),
        Protocol::Icmp => ping(to).is_ok(),
        Protocol::Other(_) => unreachable!("the tests have no such probe"),
    })
}

pub(crate) fn reaches_tcp(sandbox: &Namespace, to: &str) -> bool {
    let to: SocketAddr = to.parse().unwrap();
    reaches(sandbox, to.ip(), Protocol::Tcp(to.port()))
}

/// Connects and sees an echo.
pub(crate) fn tcp(to: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    exchange(&mut stream)?;
    Ok(stream)
}

pub(crate) fn exchange(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut answer = [0; 5];
    stream.write_all(b"probe")?;
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"probe");
    Ok(())
}

/// Sends a datagram and returns its answer.
pub(crate) fn udp(to: SocketAddr, datagram: &[u8]) -> std::io::Result<Vec<u8>> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    socket.send(datagram)?;
    let mut buffer = vec![0; 2048];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn ping(to: IpAddr) -> std::io::Result<()> {
    let (domain, protocol, kind) = match to {
        IpAddr::V4(_) => (Domain::IPV4, SocketProtocol::ICMPV4, 8),
        IpAddr::V6(_) => (Domain::IPV6, SocketProtocol::ICMPV6, 128),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&SocketAddr::new(to, 0).into())?;
    socket.send(&[kind, 0, 0, 0, 0, 0, 0, 1])?;
    let mut buffer = [MaybeUninit::uninit(); 64];
    socket.recv(&mut buffer)?;
    Ok(())
}
