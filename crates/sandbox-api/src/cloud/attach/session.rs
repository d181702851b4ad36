//! One client attached to one process.
//!
//! ```text
//!   client ── receive ──┬─ input queue ── feeder ── process
//!                       └─ signals, sizes ─────────┘   │
//!   client ── send ─────┬─ reader of the output ring ──┘
//!                       └─ refusals, bytes taken, pings
//! ```
//!
//! All of it is one task. Nothing between the ends grows: a client that does not read leaves the
//! output in the ring, where the oldest goes first (or the process waits for it, where it asked for
//! that); one that sends too much is not read; one that
//! does both waits for itself.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use sandbox_api_types::{AttachQuery, ClientMessage, ServerMessage};
use sandbox_core::{Error, ErrorKind};
use sandbox_engine::process::{ProcessHandle, ProcessStatus};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::input::{self, Input};
use super::pulse::Pulse;
use super::wire;
use crate::cloud::errors;
use crate::cloud::processes::shown;
use crate::error::{ApiError, Reason};
use crate::extract::RequestId;
use crate::state::AppState;

/// How long either end may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long a process may take to read what a client sent before it left.
const LAST_INPUT: Duration = Duration::from_secs(10);
/// How many refusals wait for a client that does not read before it is not read either.
const REFUSALS: usize = 8;

type Client = SplitSink<WebSocket, Message>;
type Said = SplitStream<WebSocket>;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// There is no more output.
    Finished,
    /// The client left.
    Left,
    /// The server, or the engine, shuts down.
    Shutdown,
    /// The client's key is none any more.
    Revoked,
    /// Something failed.
    Failed(ApiError),
}

/// What a connection needs beyond its process.
#[derive(Debug)]
pub(super) struct Session {
    state: AppState,
    request_id: RequestId,
    ended: CancellationToken,
}

/// What `receive` tells `send`.
#[derive(Debug)]
struct Inbox {
    refused: mpsc::Receiver<ApiError>,
    taken: watch::Receiver<u64>,
}

impl Session {
    /// One that ends when `ended` is cancelled.
    pub(super) fn new(state: AppState, request_id: RequestId, ended: CancellationToken) -> Self {
        Self {
            state,
            request_id,
            ended,
        }
    }

    /// Waits until it is to end.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Why it ends, once it is to end.
    pub(super) fn over(&self) -> End {
        match self.state.shutdown().is_cancelled() {
            true => End::Shutdown,
            false => End::Revoked,
        }
    }

    /// Carries messages both ways until either end has had enough. The process goes on.
    pub(super) async fn attend(
        &self,
        process: ProcessHandle,
        query: AttachQuery,
        client: &mut Client,
        said: &mut Said,
    ) -> End {
        let (queue, feeder, taken) = input::queue();
        let (refuse, refused) = mpsc::channel(REFUSALS);
        let inbox = Inbox { refused, taken };
        let pulse = Pulse::default();
        let feeding = feeder.run(&process, refuse.clone()).fuse();
        tokio::pin!(feeding);
        let end = tokio::select! {
            end = self.send(&process, query, client, inbox, &pulse) => end,
            end = receive(&process, said, queue, refuse, &pulse) => end,
            // It ends with the queue, which `receive` holds.
            () = &mut feeding => End::Left,
        };
        if matches!(end, End::Left) {
            // What it sent before it left arrives all the same.
            let _ = timeout(LAST_INPUT, feeding).await;
        }
        end
    }

    /// Tells the client what there is to tell.
    async fn send(
        &self,
        process: &ProcessHandle,
        query: AttachQuery,
        client: &mut Client,
        mut inbox: Inbox,
        pulse: &Pulse,
    ) -> End {
        let mut reader = match query.paced {
            true => process.read_paced(query.from),
            false => process.read(query.from),
        };
        let mut pings = pings(self.state.config().ping_interval);
        let mut silence = 0;
        let mut message = wire::text(&ServerMessage::Started {
            process: shown(process),
        });
        loop {
            tokio::select! {
                sent = client.send(message) => if sent.is_err() {
                    return End::Left;
                },
                () = self.ended() => return self.over(),
            }
            message = tokio::select! {
                () = self.ended() => return self.over(),
                item = reader.next() => match item {
                    Some(item) => wire::item(process, item),
                    None if process.status() == ProcessStatus::Running => {
                        return End::Shutdown;
                    },
                    None => return End::Finished,
                },
                Some(error) = inbox.refused.recv() => self.refusal(error, false),
                Ok(()) = inbox.taken.changed() => {
                    let bytes = *inbox.taken.borrow_and_update();
                    wire::text(&ServerMessage::StdinTaken { bytes })
                }
                _ = pings.tick() => match pulse.is_gone(&mut silence) {
                    true => return End::Left,
                    false => Message::Ping(Bytes::new()),
                },
            };
        }
    }

    fn refusal(&self, error: ApiError, fatal: bool) -> Message {
        errors::log(&error, &self.request_id);
        let error = errors::detail(&error, &self.request_id);
        wire::text(&ServerMessage::Error { error, fatal })
    }

    /// Closes the connection, and waits for the client to do the same.
    pub(super) async fn say_goodbye(&self, end: End, client: &mut Client, said: &mut Said) {
        let (code, reason, last) = match end {
            End::Finished => (close_code::NORMAL, "the output has ended", None),
            End::Left => (close_code::NORMAL, "", None),
            End::Shutdown => (close_code::AWAY, "the server is shutting down", None),
            End::Revoked => (close_code::POLICY, "the API key is no longer valid", None),
            End::Failed(error) => {
                let code = code_of(&error);
                (
                    code,
                    "see the message before",
                    Some(self.refusal(error, true)),
                )
            }
        };
        let goodbye = async {
            if let Some(last) = last {
                client.send(last).await?;
            }
            let reason = reason.into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            client.send(close).await?;
            while said.next().await.is_some_and(|message| message.is_ok()) {}
            Ok::<_, axum::Error>(())
        };
        // One that does not read does not learn of it.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Whose fault a failure is, as close codes have it.
fn code_of(error: &ApiError) -> u16 {
    match error.reason() {
        Reason::Failed(ErrorKind::Internal | ErrorKind::Unavailable) => close_code::ERROR,
        _ => close_code::POLICY,
    }
}

fn pings(every: Duration) -> Interval {
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// Carries out what the client says, one message after the other.
async fn receive(
    process: &ProcessHandle,
    said: &mut Said,
    input: Input,
    refuse: mpsc::Sender<ApiError>,
    pulse: &Pulse,
) -> End {
    loop {
        let message = said.next().await;
        pulse.heard();
        pulse.hold(true);
        let done = match message {
            Some(Ok(Message::Binary(bytes))) => {
                input.bytes(&bytes).await;
                Ok(())
            }
            Some(Ok(Message::Text(text))) => obey(process, &input, &text).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Left,
        };
        if let Err(error) = done {
            // Gone only when the connection ends.
            let _ = refuse.send(error).await;
        }
        pulse.hold(false);
    }
}

async fn obey(process: &ProcessHandle, input: &Input, text: &str) -> Result<(), ApiError> {
    match wire::parse(text)? {
        ClientMessage::CloseStdin => input.close().await,
        ClientMessage::Signal { signal } => process.signal(signal.into()).await?,
        ClientMessage::Resize { cols, rows } => {
            let size = sandbox_core::PtySize { cols, rows };
            process.resize(size).await?;
        }
        ClientMessage::Start(_) | ClientMessage::CloseWrite => {
            let message = "has no meaning on this connection";
            return Err(Error::invalid("api.attach", "type", message).into());
        }
    }
    Ok(())
}
