//! Every process of a sandbox, whoever started it.

use axum::http::StatusCode;
use sandbox_api_types::{SendSignal, SystemProcessList};
use sandbox_core::{Pid, Sandbox};
use serde::Deserialize;
use utoipa_axum::routes;

use super::live::Live;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::route::BodyClass;
use crate::route::Deadline::Unary;
use crate::route::Repeat::Once;
use crate::route::{Table, read, write};

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(list_system_processes), read(Unary))
        .add(
            routes!(signal_system_process),
            write(BodyClass::Json, Unary, Once),
        )
}

/// List every process
///
/// As the sandbox's own process table shows them.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/system/processes", tag = "processes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses(
        (status = 200, description = "The processes", body = SystemProcessList),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn list_system_processes(Live(sandbox): Live) -> Result<Json<SystemProcessList>, ApiError> {
    let mut found = sandbox.handle()?.processes().await?;
    found.sort_unstable_by_key(|process| process.pid);
    let processes = found.into_iter().map(Into::into).collect();
    Ok(Json(SystemProcessList { processes }))
}

#[derive(Debug, Deserialize)]
struct SystemPid {
    pid: Pid,
}

/// Send a signal to any process
///
/// To this process alone, by its number inside the sandbox.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/system/processes/{pid}/signal", tag = "processes",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("pid" = u32, Path, description = "The number inside the sandbox"),
    ),
    request_body = SendSignal,
    responses(
        (status = 204, description = "It was sent"),
        (status = 404, description = "There is no such process"),
        (status = 409, description = "The sandbox is not running"),
    ),
)]
async fn signal_system_process(
    Live(sandbox): Live,
    Path(SystemPid { pid }): Path<SystemPid>,
    Json(body): Json<SendSignal>,
) -> Result<StatusCode, ApiError> {
    sandbox.handle()?.signal(pid, body.signal.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
