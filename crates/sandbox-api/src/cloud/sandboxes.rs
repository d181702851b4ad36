//! Sandboxes: look at them, destroy them.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::extract::SandboxRef;
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::Long;
use crate::route::Repeat::Replayed;
use crate::route::{Table, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT).add(routes!(destroy_sandbox), write(NoBody, Long, Replayed))
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
