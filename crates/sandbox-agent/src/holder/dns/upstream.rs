//! Asking the resolvers the policy names.
//!
//! Datagrams get lost, also the first one to a neighbour nobody has asked for yet, and resolvers
//! fall silent. A question is asked again and again until its time is up, of one resolver after the
//! other, and the first answer counts, whoever gives it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::message::{self, Question, UDP_SIZE};
use super::wait;

/// How long a question is asked for in all. Programs wait for five seconds: an answer that there is
/// none should come before that.
const PATIENCE: Duration = Duration::from_millis(4_500);
/// How long an answer is waited for until the question is asked again. It grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// How long one resolver may take to repeat over TCP what it cut short.
const OVER_TCP: Duration = Duration::from_secs(2);

/// The first answer any of `upstreams` gives. That one cannot answer counts only when none can.
pub(super) fn ask(question: &Question, upstreams: &[SocketAddr], mark: u32) -> io::Result<Vec<u8>> {
    let mut asking = Asking {
        question,
        mark,
        resolvers: upstreams.iter().copied().map(Resolver::new).collect(),
        turn: 0,
        failure: None,
        error: io::Error::from(io::ErrorKind::NotConnected),
    };
    asking.until(Instant::now() + PATIENCE)
}

/// A question under way.
struct Asking<'a> {
    question: &'a Question,
    mark: u32,
    resolvers: Vec<Resolver>,
    /// Whose turn it is next.
    turn: usize,
    /// The last answer that says that there is none.
    failure: Option<Vec<u8>>,
    /// Why the last resolver was given up.
    error: io::Error,
}

struct Resolver {
    address: SocketAddr,
    id: u16,
    /// Opened when it is asked first.
    socket: Option<UdpSocket>,
    /// It has failed, and is not asked again.
    given_up: bool,
}

impl Resolver {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            id: 0,
            socket: None,
            given_up: false,
        }
    }

    fn send(&mut self, question: &Question, mark: u32) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = marked(self.address, Type::DGRAM, mark)?;
                // Connected: the kernel takes answers from this address and port alone.
                socket.connect(&self.address.into())?;
                socket.set_nonblocking(true)?;
                self.id = random_id()?;
                socket.into()
            }
        };
        socket.send(&question.to_upstream(self.id))?;
        self.socket = Some(socket);
        Ok(())
    }

    /// The next answer that has come; none where there is none yet.
    fn receive(&self, question: &Question) -> io::Result<Option<Vec<u8>>> {
        let Some(socket) = &self.socket else {
            return Ok(None);
        };
        let mut buffer = vec![0; UDP_SIZE.into()];
        loop {
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    let response = buffer.get(..length).unwrap_or_default();
                    if question.is_answered_by(self.id, response) {
                        return Ok(Some(response.to_vec()));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Asking<'_> {
    fn until(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        let mut pause = FIRST_PAUSE;
        while let Some(index) = self.next() {
            if let Err(error) = self.resolvers[index].send(self.question, self.mark) {
                self.give_up(index, error);
                continue;
            }
            let again = deadline.min(Instant::now() + pause);
            if let Some(response) = self.wait(again, deadline)? {
                return Ok(response);
            }
            if Instant::now() >= deadline {
                self.error = io::Error::from(io::ErrorKind::TimedOut);
                break;
            }
            pause += pause / 2;
        }
        let none = || std::mem::replace(&mut self.error, io::ErrorKind::NotConnected.into());
        self.failure.take().ok_or_else(none)
    }

    /// The next resolver in turn that has not failed.
    fn next(&mut self) -> Option<usize> {
        let count = self.resolvers.len();
        let mut turns = (0..count).map(|step| (self.turn + step) % count);
        let index = turns.find(|index| !self.resolvers[*index].given_up)?;
        self.turn = index + 1;
        Some(index)
    }

    fn give_up(&mut self, index: usize, error: io::Error) {
        self.resolvers[index].given_up = true;
        self.resolvers[index].socket = None;
        self.error = error;
    }

    /// The first answer that comes until `again`; none also when a resolver has failed meanwhile, so
    /// that the next one is asked at once.
    fn wait(&mut self, again: Instant, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        loop {
            let sockets = self.resolvers.iter().filter_map(|one| one.socket.as_ref());
            wait::readable(sockets, again)?;
            let mut failed = false;
            for index in 0..self.resolvers.len() {
                match self.answer_of(index, deadline) {
                    Ok(None) => {}
                    Ok(Some(response)) if message::is_failure(&response) => {
                        self.failure = Some(response);
                        self.give_up(index, io::ErrorKind::NotConnected.into());
                        failed = true;
                    }
                    Ok(Some(response)) => return Ok(Some(response)),
                    Err(error) => {
                        self.give_up(index, error);
                        failed = true;
                    }
                }
            }
            if failed || Instant::now() >= again {
                return Ok(None);
            }
        }
    }

    /// The whole answer of a resolver, where one has come.
    fn answer_of(&self, index: usize, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let resolver = &self.resolvers[index];
        let (question, id) = (self.question, resolver.id);
        let Some(response) = resolver.receive(question)? else {
            return Ok(None);
        };
        if !message::is_truncated(&response) {
            return Ok(Some(response));
        }
        let deadline = deadline.min(Instant::now() + OVER_TCP);
        over_tcp(question, id, resolver.address, self.mark, deadline).map(Some)
    }
}

/// A socket whose packets the filter knows to be ours; `mark` zero is none.
fn marked(upstream: SocketAddr, kind: Type, mark: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(upstream), kind, None)?;
    if mark != 0 {
        socket.set_mark(mark)?;
    }
    Ok(socket)
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

    use super::super::message::Failure;
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

    fn question() -> Question {
        Question::read(QUERY).unwrap()
    }

    /// A resolver that lets `answer` say what to answer each question with, by its number.
    fn resolver(answer: impl Fn(usize) -> Option<Failure> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            for number in 0.. {
                let Ok((_, from)) = socket.recv_from(&mut buffer) else {
                    return;
                };
                let Some(failure) = answer(number) else {
                    continue;
                };
                let id = u16::from_be_bytes([buffer[0], buffer[1]]);
                let mut response = message::with_id(question().failure(failure), id);
                if failure == Failure::Unknown {
                    // Stands for an answer of no records.
                    response[3] &= 0xf0;
                }
                let _ = socket.send_to(&response, from);
            }
        });
        address
    }

    const ANSWER: Option<Failure> = Some(Failure::Unknown);

    fn silent() -> SocketAddr {
        resolver(|_| None)
    }

    /// Whether the answer is more than that there is none.
    fn is_answered(upstreams: &[SocketAddr]) -> bool {
        let response = ask(&question(), upstreams, 0).unwrap();
        !message::is_failure(&response)
    }

    #[test]
    fn a_question_that_is_lost_is_asked_again() {
        let deaf_at_first = resolver(|number| (number >= 2).then_some(Failure::Unknown));
        assert!(is_answered(&[deaf_at_first]));
    }

    #[test]
    fn silent_and_failing_resolvers_do_not_keep_the_others_answer_back() {
        let closed = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let failing = resolver(|_| Some(Failure::Unavailable));
        let answering = resolver(|_| ANSWER);
        assert!(is_answered(&[
            silent(),
            silent(),
            failing,
            closed,
            answering
        ]));
    }

    #[test]
    fn a_slow_answer_counts_while_others_are_asked() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let slow = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            let (_, from) = socket.recv_from(&mut buffer).unwrap();
            thread::sleep(3 * FIRST_PAUSE);
            let id = u16::from_be_bytes([buffer[0], buffer[1]]);
            let mut response = message::with_id(question().failure(Failure::Unknown), id);
            response[3] &= 0xf0;
            socket.send_to(&response, from).unwrap();
        });
        assert!(is_answered(&[slow, silent()]));
    }

    #[test]
    fn that_there_is_no_answer_is_said_when_nobody_has_one() {
        let failing = [Failure::Unavailable, Failure::Refused]
            .map(|failure| resolver(move |_| Some(failure)));
        let started = Instant::now();
        let response = ask(&question(), &failing, 0).unwrap();
        assert!(message::is_failure(&response));
        assert!(started.elapsed() < PATIENCE, "nobody is left to wait for");
        let error = ask(&question(), &[silent()], 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        ask(&question(), &[], 0).unwrap_err();
    }

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
