//! A server that says what a test wants, byte for byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_client::{Client, ClientBuilder, Limits, RetryPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const KEY: &str = "sbk_a-secret-that-nobody-sees";

/// What happens on one connection once its request has come.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, and nothing more.
    Hold(Vec<u8>),
    /// These bytes over and over.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    /// A whole answer.
    pub(crate) fn new(status: u16, headers: &str, body: &str) -> Self {
        Self::Bytes(head(status, headers, body.len(), body).into_bytes())
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "content-type: application/json\r\n", body)
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"said the server"}}}}"#);
        Self::json(status, &body)
    }

    /// Nothing: the connection is closed.
    pub(crate) fn nothing() -> Self {
        Self::Bytes(Vec::new())
    }
}

pub(crate) fn head(status: u16, headers: &str, length: usize, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// One connection for each answer, in order; the last answer for all that follow.
pub(crate) struct Script {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    _serving: DropGuard,
}

impl Script {
    pub(crate) async fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stop, seen) = (CancellationToken::new(), Arc::clone(&requests));
        let serving = stop.clone();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let last = answers.len().checked_sub(1).expect("an answer");
                let answer = answers[number.min(last)].clone();
                let talk = talk(stream, answer, Arc::clone(&seen));
                tokio::spawn(serving.clone().run_until_cancelled_owned(talk));
            }
        }));
        Self {
            url,
            requests,
            _serving: stop.drop_guard(),
        }
    }

    /// The requests that came, heads in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder().url(&self.url).api_key(KEY).retry(quick())
    }

    /// A client that does not wait long between its tries.
    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// A client that loses its patience at once.
    pub(crate) fn impatient(&self) -> Client {
        let mut limits = Limits::default();
        limits.call_timeout = Duration::from_millis(300);
        limits.idle_timeout = Duration::from_millis(300);
        limits.max_answer_bytes = 100_000;
        limits.max_event_bytes = 10_000;
        self.builder().limits(limits).build().unwrap()
    }
}

/// The usual tries without the usual pauses.
pub(crate) fn quick() -> RetryPolicy {
    let mut retry = RetryPolicy::default();
    retry.base_delay = Duration::from_millis(1);
    retry
}

async fn talk(mut stream: TcpStream, answer: Answer, seen: Arc<Mutex<Vec<String>>>) {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&read) {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => read.extend_from_slice(&piece[..length]),
        }
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let request = format!("{}\r\n\r\n{body}", head.to_ascii_lowercase());
    seen.lock().unwrap().push(request);
    // The client may have enough before everything is said.
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            // Until the client has read it: a close with unread input would cut it off.
            while matches!(stream.read(&mut piece).await, Ok(1..)) {}
        }
        Answer::Hold(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Answer::Endless(first, again) => {
            let _ = stream.write_all(&first).await;
            while stream.write_all(&again).await.is_ok() {}
        }
    }
}

/// Whether a request has come: its head, and the body that its length promises.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}
