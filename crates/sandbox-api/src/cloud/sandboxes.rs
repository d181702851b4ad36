//! Sandboxes: look at them, destroy them.

use axum::extract::State;
use axum::http::StatusCode;
use sandbox_api_types::{Sandbox, SandboxView};
use sandbox_engine::SandboxRecord;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::extract::{Json, SandboxRef};
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::Repeatable;
use crate::route::{Table, read, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(get_sandbox), read(Unary))
        .add(routes!(destroy_sandbox), write(NoBody, Long, Repeatable))
}

/// A sandbox as the dialect shows it.
pub(super) fn shown(state: &AppState, record: &SandboxRecord) -> Sandbox {
    let sizes = state.engine().templates().sizes();
    Sandbox::from(SandboxView {
        spec: &record.spec,
        egress: &record.egress,
        lifecycle: &record.lifecycle,
        runtime: &record.runtime,
        size: sizes.fitting(record.spec.resources()),
        available: record.available,
        now: state.now(),
    })
}

/// Get a sandbox
///
/// This is no activity: it wakes nothing and keeps nothing awake.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "The sandbox", body = Sandbox)),
)]
async fn get_sandbox(State(state): State<AppState>, sandbox: SandboxRef) -> Json<Sandbox> {
    Json(shown(&state, &sandbox.record))
}

/// Destroy a sandbox
///
/// Kills every process in it and frees everything. Safe to call again.
#[utoipa::path(
    delete, path = "/v1/sandboxes/{id}", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 204, description = "It is gone")),
)]
async fn destroy_sandbox(
    State(state): State<AppState>,
    sandbox: SandboxRef,
) -> Result<StatusCode, ApiError> {
    state.engine().destroy(sandbox.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}
