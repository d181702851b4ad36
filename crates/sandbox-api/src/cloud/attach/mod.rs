//! Processes over WebSockets: output, input, signals and a terminal's size on one connection.

mod input;
pub(super) mod pulse;
mod session;
mod wire;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use sandbox_api_types::{AttachQuery, ClientMessage, StartProcess};
use sandbox_core::{Error, ErrorKind, Result};
use sandbox_engine::process::ProcessHandle;
use utoipa_axum::routes;

use self::session::{End, Session};
use super::exec::{options, start};
use super::live::Live;
use super::processes::Watch;
use super::upgrade::Upgrade;
use crate::error::ApiError;
use crate::extract::{Query, RequestId, SandboxRef};
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::Stream;
use crate::route::Repeat::Refused;
use crate::route::{Table, write};
use crate::state::AppState;

/// How long a client may take to say what it wants to start.
const START_GRACE: Duration = Duration::from_secs(30);

pub(super) fn table() -> Table {
    // Whoever is attached can write to the process and send it signals.
    let policy = write(NoBody, Stream, Refused);
    Table::new(&super::DIALECT)
        .add(routes!(attach), policy)
        .add(routes!(exec_attach), policy)
}

/// Attach to a process
///
/// A WebSocket. The server says `{"type":"started","process":{…}}`, then the output from the number
/// `from` on as binary messages (one byte for the stream: 1 standard output, 2 standard error,
/// 3 terminal; eight bytes for the number, big-endian; then the data), `gap` for what is no longer
/// kept, and `exited`. It closes when nobody holds the output open any more. Of the client, binary
/// messages are standard input, of which `stdin_taken` says how much was taken; text messages are
/// `{"type":"close_stdin"}`, `{"type":"signal","signal":"INT"}` and
/// `{"type":"resize","cols":80,"rows":24}`. What cannot be carried out is answered with `error`,
/// which ends the connection only when it is `fatal`. With `paced=true` the process waits for a
/// client that reads more slowly than it writes, and no output is lost. Leaving kills nothing.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/processes/{pid}/attach", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
        AttachQuery,
    ),
    responses((status = 101, description = "The connection")),
)]
async fn attach(
    State(state): State<AppState>,
    Watch(process): Watch,
    request_id: RequestId,
    Query(query): Query<AttachQuery>,
    upgrade: Upgrade,
) -> Response {
    upgrade.on_upgrade(move |socket, ended| async move {
        let session = Session::new(state, request_id, ended);
        let (mut client, mut said) = socket.split();
        let end = session.attend(process, query, &mut client, &mut said).await;
        session.say_goodbye(end, &mut client, &mut said).await;
    })
}

/// Start a process, and attach to it
///
/// A WebSocket whose first message is `{"type":"start", …}` with the body of a process to start, to
/// be sent within 30 seconds; then as attaching to it, from the start of its output.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/exec/attach", tag = "commands",
    params(("id" = String, Path, description = "The sandbox's id"), AttachQuery),
    responses((status = 101, description = "The connection")),
)]
async fn exec_attach(
    State(state): State<AppState>,
    Live(sandbox): Live,
    request_id: RequestId,
    Query(query): Query<AttachQuery>,
    upgrade: Upgrade,
) -> Response {
    upgrade.on_upgrade(move |socket, ended| async move {
        let session = Session::new(state.clone(), request_id, ended);
        serve_exec(state, sandbox, session, query, socket).await;
    })
}

async fn serve_exec(
    state: AppState,
    sandbox: SandboxRef,
    session: Session,
    query: AttachQuery,
    socket: WebSocket,
) {
    let (mut client, mut said) = socket.split();
    let started = tokio::select! {
        started = started(&state, &sandbox, query.paced, &mut said) => started,
        () = session.ended() => Err(session.over()),
    };
    let end = match started {
        Ok(process) => session.attend(process, query, &mut client, &mut said).await,
        Err(end) => end,
    };
    session.say_goodbye(end, &mut client, &mut said).await;
}

/// The process that the client's first message asks for.
async fn started(
    state: &AppState,
    sandbox: &SandboxRef,
    paced: bool,
    said: &mut SplitStream<WebSocket>,
) -> Result<ProcessHandle, End> {
    let asked = tokio::time::timeout(START_GRACE, first_message(said)).await;
    let asked = asked.unwrap_or_else(|_| {
        let message = "nothing was started within 30 seconds";
        let error = Error::new(ErrorKind::Timeout, "api.attach", message);
        Err(End::Failed(error.into()))
    })?;
    let failed = |error: Error| End::Failed(error.into());
    let (command, tag) = asked.into_core().map_err(failed)?;
    let options = options(tag, paced);
    start(state, sandbox, command, options)
        .await
        .map_err(failed)
}

async fn first_message(said: &mut SplitStream<WebSocket>) -> Result<StartProcess, End> {
    let refused = || {
        let message = "the first message must be the text {\"type\":\"start\", …}";
        End::Failed(ApiError::invalid("message", message))
    };
    loop {
        match said.next().await {
            Some(Ok(Message::Text(text))) => match wire::parse(&text).map_err(End::Failed)? {
                ClientMessage::Start(asked) => return Ok(asked),
                ClientMessage::CloseStdin
                | ClientMessage::Signal { .. }
                | ClientMessage::Resize { .. }
                | ClientMessage::CloseWrite => return Err(refused()),
            },
            Some(Ok(Message::Binary(_))) => return Err(refused()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Left),
        }
    }
}
