//! Asking the resolvers the policy names.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::message::{self, Question, UDP_SIZE};

/// How long one resolver is given.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// The first answer any of `upstreams` gives, asked in order.
pub(super) fn ask(question: &Question, upstreams: &[SocketAddr], mark: u32) -> io::Result<Vec<u8>> {
    let mut last = io::Error::from(io::ErrorKind::NotConnected);
    for upstream in upstreams {
        match ask_one(question, *upstream, mark) {
            Ok(response) => return Ok(response),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask_one(question: &Question, upstream: SocketAddr, mark: u32) -> io::Result<Vec<u8>> {
    let id = random_id()?;
    let deadline = Instant::now() + PATIENCE;
    let response = over_udp(question, id, upstream, mark, deadline)?;
    if message::is_truncated(&response) {
        return over_tcp(question, id, upstream, mark, deadline);
    }
    Ok(response)
}

fn marked(upstream: SocketAddr, kind: Type, mark: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(upstream), kind, None)?;
    socket.set_mark(mark)?;
    Ok(socket)
}

fn over_udp(
    question: &Question,
    id: u16,
    upstream: SocketAddr,
    mark: u32,
    deadline: Instant,
) -> io::Result<Vec<u8>> {
    let socket = marked(upstream, Type::DGRAM, mark)?;
    // Connected: the kernel takes answers from this address and port alone.
    socket.connect(&upstream.into())?;
    let socket = UdpSocket::from(socket);
    socket.send(&question.to_upstream(id))?;
    let mut buffer = vec![0; UDP_SIZE.into()];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let length = socket.recv(&mut buffer)?;
        let response = buffer.get(..length).unwrap_or_default();
        if question.is_answered_by(id, response) {
            return Ok(response.to_vec());
        }
    }
}

fn over_tcp(
    question: &Question,
    id: u16,
    upstream: SocketAddr,
    mark: u32,
    deadline: Instant,
) -> io::Result<Vec<u8>> {
    let socket = marked(upstream, Type::STREAM, mark)?;
    socket.connect_timeout(&upstream.into(), left(deadline)?)?;
    let mut stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(left(deadline)?))?;
    write_framed(&mut stream, &question.to_upstream(id))?;
    let response = read_framed_by(&mut stream, deadline)?;
    if question.is_answered_by(id, &response) {
        Ok(response)
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Over TCP a message is preceded by its length.
pub(super) fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length =
        u16::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(message);
    stream.write_all(&framed)
}

/// One message, whole by `deadline` however slowly its bytes come.
pub(super) fn read_framed_by(stream: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    read_exact_by(stream, &mut length, deadline)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    read_exact_by(stream, &mut message, deadline)?;
    Ok(message)
}

fn read_exact_by(stream: &mut TcpStream, mut into: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !into.is_empty() {
        // A timeout is about one read, and each byte would start it anew.
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(into)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => into = into.get_mut(length..).unwrap_or_default(),
        }
    }
    Ok(())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    }
    Ok(left)
}

fn random_id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_resolver_that_sends_a_byte_at_a_time_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut slow, _) = listener.accept().unwrap();
        thread::spawn(move || {
            // Until the other end is gone.
            while slow.write_all(&[1]).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let patience = Duration::from_millis(100);
        stream.set_read_timeout(Some(patience)).unwrap();
        let started = Instant::now();
        assert!(read_framed_by(&mut stream, started + patience).is_err());
        assert!(started.elapsed() < 10 * patience);
    }

    #[test]
    fn a_message_in_time_is_read_whole() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        write_framed(&mut other, b"message").unwrap();
        let deadline = Instant::now() + PATIENCE;
        assert_eq!(read_framed_by(&mut stream, deadline).unwrap(), b"message");
    }
}
