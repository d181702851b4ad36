//! WebSockets, over the same connections, TLS and errors as everything else.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use sandbox_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::client::Client;
use crate::error::{nonsense, refused, timed_out, transport};
use crate::route::Route;

/// How much is written before the writer waits for the connection.
const WRITE_BUFFER: usize = 64 << 10;

/// A WebSocket of the client.
pub(crate) type Socket = WebSocketStream<Upgraded>;

/// What a server said.
#[derive(Debug)]
pub(crate) enum Said {
    /// Bytes.
    Binary(Bytes),
    /// A message in JSON.
    Text(String),
    /// It has nothing more to say.
    Closed,
}

/// The side of a WebSocket that is read.
#[derive(Debug)]
pub(crate) struct Receiver {
    stream: SplitStream<Socket>,
    idle: Duration,
    operation: &'static str,
}

/// The side of a WebSocket that is written.
#[derive(Debug)]
pub(crate) struct Sender {
    sink: SplitSink<Socket, Message>,
    operation: &'static str,
}

fn handshake_headers(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
    // 16 bytes in base 64 are a header's value.
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert("sec-websocket-key", key);
    }
    headers
}

impl Client {
    /// Opens a WebSocket for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) async fn socket(
        &self,
        operation: &'static str,
        route: Route,
    ) -> Result<(Sender, Receiver)> {
        let (sink, stream) = self.open(operation, route).await?.split();
        let receiver = Receiver {
            stream,
            idle: self.inner().limits.idle_timeout,
            operation,
        };
        Ok((Sender { sink, operation }, receiver))
    }

    /// Opens a WebSocket. It is tried once: what is started by it must not be started twice.
    ///
    /// # Errors
    /// What the server refuses it with; `Unavailable` when it cannot be reached; `Timeout`.
    pub(crate) async fn open(&self, operation: &'static str, route: Route) -> Result<Socket> {
        let inner = self.inner();
        let key = generate_key();
        let url = inner.base.at(&route)?;
        let mut request = inner.http.get(url).headers(handshake_headers(&key));
        if let Some(key) = &inner.key {
            request = request.header(reqwest::header::AUTHORIZATION, key.header());
        }
        let limit = inner.limits.call_timeout;
        let opening = async {
            let answer = request.send().await.map_err(|e| transport(operation, e))?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                if answer.status().is_success() {
                    return Err(nonsense(operation, "the server opened no WebSocket"));
                }
                return Err(refused(operation, answer, &inner.limits).await.error);
            }
            let accepted = answer.headers().get("sec-websocket-accept");
            if accepted.map(HeaderValue::as_bytes)
                != Some(derive_accept_key(key.as_bytes()).as_bytes())
            {
                return Err(nonsense(operation, "the server opened another WebSocket"));
            }
            answer.upgrade().await.map_err(|e| transport(operation, e))
        };
        let opened = timeout(limit, opening).await;
        let upgraded = opened.map_err(|_| timed_out(operation, limit))??;
        let most = inner.limits.max_event_bytes;
        let config = WebSocketConfig::default()
            .max_message_size(Some(most))
            .max_frame_size(Some(most))
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER.max(most));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}

fn broken(operation: &'static str, error: tungstenite::Error) -> Error {
    let kind = match &error {
        tungstenite::Error::Capacity(_) => ErrorKind::LimitExceeded,
        tungstenite::Error::Utf8(_) => ErrorKind::Internal,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, operation, "the connection to the server broke off").with_source(error)
}

impl Receiver {
    /// What the server says next. Waits for it, and pongs meanwhile. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// `Unavailable` when the connection breaks off, or stands still for too long: servers ping.
    pub(crate) async fn next(&mut self) -> Result<Said> {
        loop {
            let said = timeout(self.idle, self.stream.next()).await.map_err(|_| {
                let message = "the connection to the server stands still";
                Error::new(ErrorKind::Unavailable, self.operation, message)
            })?;
            match said {
                Some(Ok(Message::Binary(bytes))) => return Ok(Said::Binary(bytes)),
                Some(Ok(Message::Text(text))) => return Ok(Said::Text(text.as_str().to_owned())),
                Some(Ok(Message::Close(_))) => return Ok(Said::Closed),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(broken(self.operation, error)),
                None => {
                    let message = "the connection to the server broke off";
                    return Err(Error::new(ErrorKind::Unavailable, self.operation, message));
                }
            }
        }
    }

    /// A text message as what it stands for; `None` for a type that is not known.
    ///
    /// # Errors
    /// `Internal` when it is not JSON, or not what its type promises.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        text: &str,
        known: &[&str],
    ) -> Result<Option<T>> {
        #[derive(serde::Deserialize)]
        struct Typed {
            r#type: String,
        }
        let broken = |e| nonsense(self.operation, "a message makes no sense").with_source(e);
        let typed: Typed = serde_json::from_str(text).map_err(broken)?;
        if !known.contains(&typed.r#type.as_str()) {
            return Ok(None);
        }
        serde_json::from_str(text).map(Some).map_err(broken)
    }
}

impl Sender {
    /// Takes bytes to be sent; waits while the connection is full. They are taken when it returns,
    /// and not when its future is dropped before.
    pub(crate) async fn feed(&mut self, bytes: Bytes) -> Result<()> {
        let operation = self.operation;
        let fed = self.sink.feed(Message::Binary(bytes)).await;
        fed.map_err(|e| broken(operation, e))
    }

    /// Sends what was taken. Dropping the future loses nothing.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let operation = self.operation;
        self.sink.flush().await.map_err(|e| broken(operation, e))
    }

    /// Sends a message in JSON.
    pub(crate) async fn json(&mut self, message: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(message).map_err(|e| {
            nonsense(self.operation, "the message cannot be written as JSON").with_source(e)
        })?;
        self.send(Message::Text(text.into())).await
    }

    /// Says goodbye.
    pub(crate) async fn close(&mut self) -> Result<()> {
        self.send(Message::Close(None)).await
    }

    async fn send(&mut self, message: Message) -> Result<()> {
        let operation = self.operation;
        self.sink
            .send(message)
            .await
            .map_err(|e| broken(operation, e))
    }
}
