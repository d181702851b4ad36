//! A package registry on loopback, for tests.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is answered to a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, a few at a time.
    Slowly(Vec<u8>),
    /// Fewer bytes than were said.
    Cut(Vec<u8>),
    /// To go on there.
    Redirect(String),
}

/// Answers requests until the test ends; 404 for what it does not have.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) url: String,
    requests: Arc<AtomicUsize>,
}

impl Mirror {
    pub(super) fn new(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let answers: HashMap<_, _> = answers.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let answers = answers.clone();
                // Who has what it wants may leave.
                std::thread::spawn(move || answer(stream.ok()?, &answers).ok());
            }
        });
        Self { url, requests }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, answers: &HashMap<&str, Answer>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n")
    };
    match answers.get(path) {
        None => stream.write_all(head("404 Not Found", 0, "").as_bytes()),
        Some(Answer::Redirect(to)) => {
            let location = format!("location: {to}\r\n");
            stream.write_all(head("302 Found", 0, &location).as_bytes())
        }
        Some(Answer::Bytes(bytes)) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            stream.write_all(bytes)
        }
        Some(Answer::Cut(bytes)) => {
            stream.write_all(head("200 OK", bytes.len() + 10, "").as_bytes())?;
            stream.write_all(bytes)
        }
        Some(Answer::Slowly(bytes)) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            for part in bytes.chunks(bytes.len().div_ceil(5)) {
                stream.write_all(part)?;
                stream.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
    }
}
