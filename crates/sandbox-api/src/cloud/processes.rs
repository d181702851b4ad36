//! Processes that outlive their request.

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::StreamExt;
use sandbox_api_types::{
    CommandLine, MAX_EXEC_TIMEOUT, OutputQuery, Process, ProcessList, ProcessRef, Resize,
    SendSignal, StartProcess, StdinQuery, WaitQuery,
};
use sandbox_core::{Error, ErrorKind, Result, Signal};
use sandbox_engine::process::{ProcessHandle, ProcessSelector, ProcessStatus};
use serde::Deserialize;
use utoipa_axum::routes;

use super::exec::{options, start};
use super::live::Live;
use super::output::{Until, Watched};
use super::sse;
use crate::error::ApiError;
use crate::extract::{FileBody, Json, Path, Query, RequestId};
use crate::route::BodyClass::{self, None as NoBody};
use crate::route::Deadline::{Long, Stream, Unary};
use crate::route::Repeat::{Once, Refused, Repeatable};
use crate::route::{Table, read, write};
use crate::state::AppState;

/// How much of a command a list shows, in bytes of each argument and in arguments: with whole ones
/// it could have a hundred times the size of what was sent.
const LISTED_BYTES: usize = 1024;
const LISTED_ARGUMENTS: usize = 32;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(start_process), write(BodyClass::Json, Long, Once))
        .add(routes!(list_processes), read(Unary))
        .add(routes!(get_process), read(Unary))
        .add(routes!(kill_process), write(NoBody, Unary, Repeatable))
        .add(routes!(write_stdin), write(BodyClass::File, Long, Refused))
        .add(routes!(signal_process), write(BodyClass::Json, Unary, Once))
        .add(
            routes!(resize_process),
            write(BodyClass::Json, Unary, Repeatable),
        )
        .add(routes!(process_output), read(Stream))
        .add(routes!(wait_for_process), read(Long))
}

/// A process as the dialect shows it.
pub(super) fn shown(process: &ProcessHandle) -> Process {
    let shown = Process::running(
        process.id().as_str(),
        process.pid(),
        process.command(),
        process.started_at().into(),
    )
    .tagged(process.tag());
    match process.status() {
        ProcessStatus::Running => shown,
        ProcessStatus::Ended { at, status } => shown.ended(at.into(), status),
    }
}

/// The same with no more than the beginning of what it runs.
fn listed(process: &ProcessHandle) -> Process {
    let mut listed = shown(process);
    match &mut listed.command {
        CommandLine::Shell(line) => shorten(line),
        CommandLine::Argv(argv) => {
            if argv.len() > LISTED_ARGUMENTS {
                argv.truncate(LISTED_ARGUMENTS);
                argv.push("…".to_owned());
            }
            argv.iter_mut().for_each(shorten);
        }
    }
    listed
}

fn shorten(text: &mut String) {
    if text.len() > LISTED_BYTES {
        text.truncate(text.floor_char_boundary(LISTED_BYTES));
        text.push('…');
    }
}

/// The process that the path's `{pid}` names, in the caller's sandbox.
///
/// # Errors
/// As [`Live`]; `InvalidSpec` with field `pid` for what names no process; `NotFound` with field
/// `process`.
#[derive(Debug)]
pub(super) struct Watch(pub(super) ProcessHandle);

#[derive(Deserialize)]
struct PidPath {
    pid: String,
}

impl FromRequestParts<AppState> for Watch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Live(sandbox) = Live::from_request_parts(parts, state).await?;
        let Path(path) = Path::<PidPath>::from_request_parts(parts, state).await?;
        let selector = selector(&path.pid)?;
        Ok(Self(state.engine().process(sandbox.id(), &selector)?))
    }
}

fn selector(text: &str) -> Result<ProcessSelector> {
    Ok(match text.parse()? {
        // What cannot be an id is the id of no process.
        ProcessRef::Id(id) => ProcessSelector::Id(id.parse().map_err(no_process)?),
        ProcessRef::Pid(pid) => ProcessSelector::Pid(pid),
        ProcessRef::Tag(tag) => ProcessSelector::Tag(tag),
    })
}

fn no_process(cause: Error) -> Error {
    let message = "there is no such process";
    Error::new(ErrorKind::NotFound, "api.process", message)
        .with_field("process")
        .with_source(cause)
}

/// Start a process
///
/// It outlives the request, and the server watches it: its last output (1 MiB) is kept for any
/// number of readers, and it is found again after a restart of the server.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/processes", tag = "processes",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = StartProcess,
    responses(
        (status = 201, description = "The process", body = Process),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn start_process(
    State(state): State<AppState>,
    Live(sandbox): Live,
    Json(body): Json<StartProcess>,
) -> Result<(StatusCode, Json<Process>), ApiError> {
    let (command, tag) = body.into_core()?;
    let process = start(&state, &sandbox, command, options(tag, false)).await?;
    Ok((StatusCode::CREATED, Json(shown(&process))))
}

/// List processes
///
/// Those that the server watches, or watched and still keeps, oldest first. Of a long command only
/// the beginning is shown: 32 arguments of 1 KiB.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/processes", tag = "processes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "The processes", body = ProcessList)),
)]
async fn list_processes(
    State(state): State<AppState>,
    Live(sandbox): Live,
) -> Result<Json<ProcessList>, ApiError> {
    let processes = state.engine().processes(sandbox.id())?;
    let processes = processes.iter().map(listed).collect();
    Ok(Json(ProcessList { processes }))
}

/// Get a process
///
/// By its id (`proc_…`), its number inside the sandbox, or `tag:NAME`; of several, the newest.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/processes/{pid}", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
    ),
    responses((status = 200, description = "The process", body = Process)),
)]
async fn get_process(Watch(process): Watch) -> Json<Process> {
    Json(shown(&process))
}

/// Kill a process
///
/// With its whole group, at once. One that has ended is no error.
#[utoipa::path(
    delete, path = "/v1/sandboxes/{id}/processes/{pid}", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
    ),
    responses(
        (status = 204, description = "It was killed"),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn kill_process(Watch(process): Watch) -> Result<StatusCode, ApiError> {
    match process.signal(Signal::KILL).await {
        Err(error) if !is_ended(&error) => Err(error.into()),
        Ok(()) | Err(_) => Ok(StatusCode::NO_CONTENT),
    }
}

fn is_ended(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.field() == Some("process")
}

/// Write to a process's standard input
///
/// The body's bytes as they are, as fast as the process reads them; with `close=true`, the end of
/// the file after them.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/processes/{pid}/stdin", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
        StdinQuery,
    ),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses(
        (status = 204, description = "The bytes were taken"),
        (status = 409, description = "Its input is not open, or the sandbox is not running"),
    ),
)]
async fn write_stdin(
    Watch(process): Watch,
    Query(query): Query<StdinQuery>,
    FileBody(mut body): FileBody,
) -> Result<StatusCode, ApiError> {
    while let Some(chunk) = body.next().await {
        process.write_stdin(chunk?).await?;
    }
    if query.close {
        process.close_stdin().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Send a signal to a process
///
/// To its whole group.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/processes/{pid}/signal", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
    ),
    request_body = SendSignal,
    responses(
        (status = 204, description = "It was sent"),
        (status = 404, description = "There is no such process, or it has ended"),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn signal_process(
    Watch(process): Watch,
    Json(body): Json<SendSignal>,
) -> Result<StatusCode, ApiError> {
    process.signal(body.signal.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resize a process's terminal
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/processes/{pid}/resize", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
    ),
    request_body = Resize,
    responses(
        (status = 204, description = "It has the new size"),
        (status = 409, description = "It has no terminal, or the sandbox is not running"),
    ),
)]
async fn resize_process(
    Watch(process): Watch,
    Json(body): Json<Resize>,
) -> Result<StatusCode, ApiError> {
    process.resize(body.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a process's output
///
/// Server-Sent Events from the number `from` on: `output`, `gap` for what is no longer kept, and
/// `exit`, after which children that it left behind may still write. Ends when nobody holds the
/// output open any more; without `follow`, with what there is. Beyond the end nothing comes until
/// that number does.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/processes/{pid}/output", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
        OutputQuery,
    ),
    responses(
        (status = 200, description = "What the process says", content_type = "text/event-stream", body = String),
    ),
)]
async fn process_output(
    Watch(process): Watch,
    request_id: RequestId,
    Query(query): Query<OutputQuery>,
) -> Response {
    let until = match query.follow {
        true => Until::Closed,
        false => Until::Now,
    };
    let watched = Watched::new(process, query.from, until, request_id.clone());
    sse::answer(watched.into_events(), &request_id)
}

/// Wait for a process
///
/// Answers when it ends, or after `timeout` (`5m` where none is given, which is the most) with the
/// process as it is.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/processes/{pid}/wait", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = String, Path, description = "`proc_…`, a number inside the sandbox, or `tag:NAME`"),
        WaitQuery,
    ),
    responses((status = 200, description = "The process", body = Process)),
)]
async fn wait_for_process(
    State(state): State<AppState>,
    Watch(process): Watch,
    Query(query): Query<WaitQuery>,
) -> Result<Json<Process>, ApiError> {
    let timeout = query.timeout.map_or(MAX_EXEC_TIMEOUT, Duration::from);
    if timeout > MAX_EXEC_TIMEOUT {
        return Err(ApiError::invalid(
            "timeout",
            "must be at most 5m: ask again",
        ));
    }
    tokio::select! {
        ended = process.wait() => { ended?; }
        () = tokio::time::sleep(timeout) => {}
        () = state.shutdown().cancelled() => {}
    }
    Ok(Json(shown(&process)))
}
