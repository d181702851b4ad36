//! Commands that a request waits for.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use sandbox_api_types::{ExecRequest, ExecResult};
use sandbox_core::{Command, ErrorKind, Process, ProcessExt, Result, Sandbox};
use sandbox_engine::process::{ProcessHandle, ProcessOptions};
use utoipa_axum::routes;

use super::detached::detached;
use super::feeding::Feeding;
use super::live::Live;
use super::output::{Until, Watched};
use super::sse;
use crate::error::ApiError;
use crate::extract::{Json, RequestId, SandboxRef};
use crate::route::BodyClass;
use crate::route::Deadline::{Long, Stream};
use crate::route::Repeat::{Once, Refused};
use crate::route::{Table, write};
use crate::state::AppState;

/// How much output an answer holds, both streams together. As JSON it can be seven times as much,
/// which is what is kept of an answer under an idempotency key.
const MAX_OUTPUT: usize = 8 << 20;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(exec), write(BodyClass::Json, Long, Once))
        .add(
            routes!(exec_stream),
            write(BodyClass::Json, Stream, Refused),
        )
}

/// Execute a command
///
/// Runs it to its end and answers what it printed until then, up to 8 MiB; `exit_code` says whether
/// it succeeded. A command that runs into its `timeout` is killed with everything it started, and
/// answered with `timed_out`. A client that leaves kills nothing. In a sandbox that is still being
/// created the command waits until that runs.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/exec", tag = "commands",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = ExecRequest,
    responses(
        (status = 200, description = "The command completed", body = ExecResult),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn exec(
    State(state): State<AppState>,
    Live(sandbox): Live,
    Json(body): Json<ExecRequest>,
) -> Result<Json<ExecResult>, ApiError> {
    let (command, input) = body.into_core()?;
    let (handle, clock) = (sandbox.handle()?, state.clone());
    // With its input, so that nobody who leaves leaves a command that waits for it.
    let starting = detached(async move {
        let process = handle.spawn(command).await?;
        // Not before: the sandbox may have had to wake up first.
        let began = clock.now();
        Ok((Arc::clone(&process), began, fed(process, input)))
    });
    let (process, began, mut feeding) = starting.await?;
    let output = tokio::select! {
        output = process.collect(MAX_OUTPUT) => output?,
        error = feeding.failed() => return Err(error.into()),
    };
    Ok(Json(ExecResult::new(&output, state.now().since(began))))
}

fn fed(process: Arc<dyn Process>, input: Option<Bytes>) -> Feeding {
    match input {
        Some(input) => Feeding::begin(async move { process.feed(input).await }),
        None => Feeding::default(),
    }
}

/// Execute a command, and watch it
///
/// Server-Sent Events: `start`, `output` as it comes, `gap` where the reader was too slow for what
/// is kept (1 MiB), and `exit`, the last. `error` instead of it when the stream cannot go on.
/// Closing the stream kills nothing: the process is found under the id in `start`.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/exec/stream", tag = "commands",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = ExecRequest,
    responses(
        (status = 200, description = "What the command says", content_type = "text/event-stream", body = String),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn exec_stream(
    State(state): State<AppState>,
    Live(sandbox): Live,
    request_id: RequestId,
    Json(body): Json<ExecRequest>,
) -> Result<Response, ApiError> {
    let (command, input) = body.into_core()?;
    let (engine, id) = (state.engine().clone(), sandbox.id().clone());
    let starting = detached(async move {
        let options = ProcessOptions::default();
        let process = engine.start_process(&id, command, options).await?;
        let fed = process.clone();
        let feeding = match input {
            Some(input) => Feeding::begin(async move { feed(&fed, input).await }),
            None => Feeding::default(),
        };
        Ok((process, feeding))
    });
    let (process, feeding) = starting.await?;
    let watched = Watched::new(process, 0, Until::Exit, request_id.clone())
        .announced()
        .fed_by(feeding);
    Ok(sse::answer(watched.into_events(), &request_id))
}

/// How to start a process under `tag`, and whether it waits for its first reader.
pub(super) fn options(tag: Option<String>, paced: bool) -> ProcessOptions {
    let mut options = ProcessOptions::default();
    (options.tag, options.paced) = (tag, paced);
    options
}

/// Starts a process that outlives the request, also one whose client leaves meanwhile.
pub(super) async fn start(
    state: &AppState,
    sandbox: &SandboxRef,
    command: Command,
    options: ProcessOptions,
) -> Result<ProcessHandle> {
    let (engine, id) = (state.engine().clone(), sandbox.id().clone());
    detached(async move { engine.start_process(&id, command, options).await }).await
}

/// Gives a process its input, and then the end of the file. One that ends, or closes its input,
/// before it has read everything is no error.
async fn feed(process: &ProcessHandle, input: Bytes) -> Result<()> {
    let written = async {
        if !input.is_empty() {
            process.write_stdin(input).await?;
        }
        process.close_stdin().await
    };
    match written.await {
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(()),
        other => other,
    }
}
