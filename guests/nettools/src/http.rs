//! HTTP/1.1 requests.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use sandbox_applet::{Context, Failure, reason};
use sandbox_guest::socket::{Kind, Socket};
use sandbox_guest::{errno, fd};
use url::Url;

use crate::host::{Family, addresses};

/// Headers longer than this are refused.
const MAX_HEAD: usize = 64 << 10;

/// What is asked.
pub struct Request {
    pub method: String,
    pub url: Url,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub timeout: Option<Duration>,
}

/// What came back.
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// The head as it was received.
    pub head: String,
    pub headers: Vec<(String, String)>,
    pub body: Box<dyn Read>,
}

struct Connection(Socket);

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        fd::read(self.0.number(), buf)
    }
}

impl Response {
    /// The value of the header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// Bytes of the body, when the server says so.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }
}

/// What a denied or failed connection says.
fn why(error: &io::Error) -> String {
    if errno::is(error, errno::ACCES) || errno::is(error, errno::PERM) {
        return "denied by the sandbox's network policy".to_owned();
    }
    reason(error)
}

/// A connection to the first address of `host` that answers within `timeout` each.
fn connect(host: &str, port: u16, timeout: Option<Duration>) -> Result<Socket, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = None;
    for addr in addresses(bare, port, Family::Any)? {
        let connected = Socket::open(&addr, Kind::Stream).and_then(|socket| {
            socket.set_send_timeout(timeout)?;
            socket.connect_to(&addr)?;
            Ok(socket)
        });
        match connected {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    let reason = last.map_or_else(|| "no address".to_owned(), |error| why(&error));
    Err(Failure::new(format!(
        "connect to {host} port {port} failed: {reason}"
    )))
}

/// Asks, and reads the head of the answer.
pub fn send(request: &Request) -> Result<Response, Failure> {
    let url = &request.url;
    if url.scheme() != "http" {
        return Err(Failure::new(format!(
            "{}: only http is available in this sandbox: there is no TLS",
            url.scheme()
        ))
        .with_code(1));
    }
    let host = url
        .host_str()
        .ok_or_else(|| Failure::new("the URL has no host").with_code(3))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let socket = connect(host, port, request.timeout).map_err(|failure| failure.with_code(7))?;
    socket
        .set_receive_timeout(request.timeout)
        .context("cannot set a timeout")?;
    let failed = |error: io::Error| Failure::new(format!("{host}: {}", why(&error))).with_code(56);
    let head = head(request, host, port);
    fd::write_all(socket.number(), head.as_bytes()).map_err(failed)?;
    if let Some(body) = &request.body {
        fd::write_all(socket.number(), body).map_err(failed)?;
    }
    let mut input = BufReader::new(Connection(socket));
    loop {
        let response = read_head(&mut input).map_err(failed)?;
        // "Continue" and the like come before the answer.
        if response.status >= 200 {
            return Ok(with_body(response, input, request.method == "HEAD"));
        }
    }
}

/// Header values must not be able to begin a new line.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|letter| !matches!(letter, '\r' | '\n'))
        .collect()
}

fn head(request: &Request, host: &str, port: u16) -> String {
    let url = &request.url;
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target = format!("{target}?{query}");
    }
    let mut head = format!("{} {target} HTTP/1.1\r\n", clean(&request.method));
    let has = |name: &str| {
        request
            .headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    if !has("host") {
        let port = if port == 80 {
            String::new()
        } else {
            format!(":{port}")
        };
        head += &format!("Host: {host}{port}\r\n");
    }
    for (name, value) in &request.headers {
        if !value.is_empty() {
            head += &format!("{}: {}\r\n", clean(name), clean(value));
        }
    }
    if let Some(body) = &request.body
        && !has("content-length")
    {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head + "Connection: close\r\n\r\n"
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

fn read_head(input: &mut impl BufRead) -> io::Result<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        let count = input
            .by_ref()
            .take((MAX_HEAD - head.len()) as u64 + 1)
            .read_until(b'\n', &mut head)?;
        if count == 0 {
            return Err(invalid(
                "the server closed the connection without an answer",
            ));
        }
        if head.len() > MAX_HEAD {
            return Err(invalid("the head of the answer is too long"));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed
        .parse(&head)
        .map_err(|error| invalid(format!("no HTTP answer: {error}")))?;
    let headers = parsed.headers.iter().map(|header| {
        (
            header.name.to_owned(),
            String::from_utf8_lossy(header.value).into_owned(),
        )
    });
    Ok(Response {
        status: parsed.code.unwrap_or(0),
        reason: parsed.reason.unwrap_or_default().to_owned(),
        headers: headers.collect(),
        head: String::from_utf8_lossy(&head).into_owned(),
        body: Box::new(io::empty()),
    })
}

fn with_body(mut response: Response, input: BufReader<Connection>, no_body: bool) -> Response {
    let chunked = response
        .header("transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    response.body = if no_body || matches!(response.status, 204 | 304) {
        Box::new(io::empty())
    } else if chunked {
        Box::new(Chunks {
            input,
            left: 0,
            state: State::Size,
        })
    } else if let Some(length) = response.length() {
        Box::new(Exact {
            input,
            left: length,
        })
    } else {
        Box::new(input)
    };
    response
}

/// A body of known length: an early end is an error.
struct Exact<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let count = self.input.read(&mut buf[..most])?;
        if count == 0 && most > 0 {
            return Err(invalid("the connection ended before the answer did"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Size,
    Data,
    Done,
}

/// A body in chunks.
struct Chunks<R> {
    input: R,
    left: u64,
    state: State,
}

impl<R: BufRead> Chunks<R> {
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let count = self
            .input
            .by_ref()
            .take(4096)
            .read_until(b'\n', &mut line)?;
        if count == 0 {
            return Err(invalid("the connection ended within a chunk"));
        }
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.state == State::Size && !buf.is_empty() {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left =
                u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk has no size"))?;
            self.state = State::Data;
            if self.left == 0 {
                self.state = State::Done;
                // Trailers, up to an empty line.
                while !self.line()?.is_empty() {}
            }
        }
        if self.state != State::Data {
            return Ok(0);
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let count = self.input.read(&mut buf[..most])?;
        if count == 0 && most > 0 {
            return Err(invalid("the connection ended within a chunk"));
        }
        self.left -= count as u64;
        if self.left == 0 {
            self.line()?;
            self.state = State::Size;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_no_more() {
        let mut input = &b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi"[..];
        let response = read_head(&mut input).unwrap();
        assert_eq!((response.status, &*response.reason), (404, "Not Found"));
        assert_eq!(response.length(), Some(2));
        assert_eq!(input, b"hi");
        assert!(read_head(&mut &b""[..]).is_err());
        assert!(read_head(&mut &b"SSH-2.0\r\n\r\n"[..]).is_err());
        assert!(read_head(&mut &*vec![b'a'; MAX_HEAD * 2]).is_err());
    }

    #[test]
    fn chunks_are_joined_and_must_end() {
        let read = |text: &str| {
            let mut out = String::new();
            let mut chunks = Chunks {
                input: io::Cursor::new(text.as_bytes().to_vec()),
                left: 0,
                state: State::Size,
            };
            chunks.read_to_string(&mut out).map(|_| out)
        };
        assert_eq!(
            read("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n").unwrap(),
            "abcde"
        );
        assert!(read("3\r\nab").is_err());
        assert!(read("x\r\n").is_err());
    }

    #[test]
    fn a_header_cannot_begin_another_line() {
        let request = Request {
            method: "GET".to_owned(),
            url: Url::parse("http://example.test:8080/a?b").unwrap(),
            headers: vec![("X".to_owned(), "a\r\nEvil: b".to_owned())],
            body: Some(b"hi".to_vec()),
            timeout: None,
        };
        let head = head(&request, "example.test", 8080);
        assert_eq!(
            head,
            "GET /a?b HTTP/1.1\r\nHost: example.test:8080\r\nX: aEvil: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        );
    }
}
