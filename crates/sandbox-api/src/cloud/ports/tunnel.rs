//! A WebSocket and a connection as one.
//!
//! Each way has one buffer, and reads on only when what it read before was taken: whoever does not
//! read holds up the other end and nothing of the server.

use std::io;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::io::{ReadHalf, WriteHalf};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use sandbox_api_types::{ClientMessage, ErrorDetail, ServerMessage};
use sandbox_core::{BoxConnection, ErrorKind};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::cloud::attach::pulse::Pulse;

/// How much is read from the sandbox at once, in bytes.
const CHUNK: usize = 32 << 10;
/// How long either end may take to hear that the tunnel ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why a tunnel ends.
#[derive(Debug)]
enum End {
    /// Both ends have said that they send no more.
    Done,
    /// The client closed the tunnel or is gone.
    Left,
    /// The client sent what has no meaning here.
    Violated(&'static str),
    /// The connection broke.
    Broken,
    /// The server shuts down, or the client's key is none any more.
    Over,
}

/// Carries bytes between `socket` and `connection` until one of them ends it, or `ended` is
/// cancelled.
/// A client that answers no ping of those that come every `ping_interval` is taken for gone.
pub(super) async fn run(
    socket: WebSocket,
    connection: BoxConnection,
    ended: CancellationToken,
    ping_interval: Duration,
) {
    let (mut client, from_client) = socket.split();
    let (from_sandbox, to_sandbox) = connection.split();
    let shared = Shared::default();
    let end = tokio::select! {
        end = up(from_client, to_sandbox, &shared) => end,
        end = down(from_sandbox, &mut client, &shared, ping_interval) => end,
        () = ended.cancelled() => End::Over,
    };
    // One that does not read does not learn of it.
    let _ = timeout(GOODBYE, say_goodbye(&mut client, &end)).await;
}

/// What one way knows and the other needs to.
#[derive(Debug, Default)]
struct Shared {
    /// Nothing more goes to the sandbox.
    closed: CancellationToken,
    /// Because it takes nothing more.
    broken: CancellationToken,
    /// What is heard of the client.
    pulse: Pulse,
}

/// From the client to the sandbox. Goes on when nothing more is to be written, as only here it is
/// seen that the client leaves.
async fn up(
    mut client: SplitStream<WebSocket>,
    mut sandbox: WriteHalf<BoxConnection>,
    shared: &Shared,
) -> End {
    while let Some(message) = client.next().await {
        shared.pulse.heard();
        let written = match message {
            Err(_) => return End::Left,
            Ok(Message::Close(_)) => {
                // What it sent before arrives all the same.
                let _ = timeout(GOODBYE, sandbox.close()).await;
                return End::Left;
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(()),
            // The sandbox takes no more, and the client learns it when the other way ends too.
            Ok(Message::Binary(_)) if shared.broken.is_cancelled() => Ok(()),
            Ok(Message::Binary(_)) if shared.closed.is_cancelled() => {
                return End::Violated("bytes after close_write");
            }
            Ok(Message::Binary(bytes)) => {
                // While the sandbox does not read, the client is not listened to.
                shared.pulse.hold(true);
                let written = write(&mut sandbox, &bytes).await;
                shared.pulse.heard();
                shared.pulse.hold(false);
                written
            }
            Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(ClientMessage::CloseWrite) => {
                    shared.closed.cancel();
                    sandbox.close().await
                }
                Ok(_) | Err(_) => return End::Violated("no text but close_write has a meaning"),
            },
        };
        if written.is_err() {
            shared.broken.cancel();
            shared.closed.cancel();
        }
    }
    End::Left
}

async fn write(sandbox: &mut WriteHalf<BoxConnection>, bytes: &[u8]) -> io::Result<()> {
    sandbox.write_all(bytes).await?;
    sandbox.flush().await
}

/// From the sandbox to the client, until both ways are done.
async fn down(
    mut sandbox: ReadHalf<BoxConnection>,
    client: &mut SplitSink<WebSocket, Message>,
    shared: &Shared,
    ping_interval: Duration,
) -> End {
    let mut buffer = vec![0; CHUNK];
    let mut pings = pings(ping_interval);
    let mut silence = 0;
    loop {
        let message = tokio::select! {
            read = sandbox.read(&mut buffer) => match read {
                Ok(0) => break,
                Ok(length) => Message::Binary(Bytes::copy_from_slice(&buffer[..length])),
                Err(_) => return End::Broken,
            },
            _ = pings.tick() => match shared.pulse.is_gone(&mut silence) {
                true => return End::Left,
                false => Message::Ping(Bytes::new()),
            },
        };
        if client.send(message).await.is_err() {
            return End::Left;
        }
    }
    if tell(client, &ServerMessage::CloseWrite).await.is_err() {
        return End::Left;
    }
    loop {
        tokio::select! {
            () = shared.closed.cancelled() => break,
            _ = pings.tick() => {
                let is_gone = shared.pulse.is_gone(&mut silence);
                if is_gone || client.send(Message::Ping(Bytes::new())).await.is_err() {
                    return End::Left;
                }
            }
        }
    }
    match shared.broken.is_cancelled() {
        true => End::Broken,
        false => End::Done,
    }
}

fn pings(every: Duration) -> Interval {
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

async fn tell(
    client: &mut SplitSink<WebSocket, Message>,
    message: &ServerMessage,
) -> Result<(), axum::Error> {
    let text = serde_json::to_string(message).map_err(axum::Error::new)?;
    client.send(Message::Text(text.into())).await
}

async fn say_goodbye(
    client: &mut SplitSink<WebSocket, Message>,
    end: &End,
) -> Result<(), axum::Error> {
    let (code, error) = match end {
        End::Done | End::Left => (close_code::NORMAL, None),
        End::Over => (close_code::AWAY, None),
        End::Violated(what) => (close_code::POLICY, Some((ErrorKind::InvalidSpec, *what))),
        End::Broken => {
            let message = "the connection inside the sandbox broke";
            (close_code::ERROR, Some((ErrorKind::Unavailable, message)))
        }
    };
    if let Some((kind, message)) = error {
        let error = ErrorDetail::new(kind.as_str(), message);
        tell(client, &ServerMessage::Error { error, fatal: true }).await?;
    }
    let frame = CloseFrame {
        code,
        reason: error.map_or("", |(_, message)| message).into(),
    };
    client.send(Message::Close(Some(frame))).await
}
