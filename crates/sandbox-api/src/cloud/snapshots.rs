//! Snapshots: the caller's own, and nobody else's.

use axum::extract::State;
use axum::http::StatusCode;
use sandbox_api_types::{Snapshot, SnapshotList};
use sandbox_core::{Error, ErrorKind, Sandbox, SnapshotId};
use sandbox_engine::SnapshotRecord;
use utoipa_axum::routes;

use super::live::Live;
use crate::Caller;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::Once;
use crate::route::{Table, read, write};
use crate::state::AppState;

const FIELD: &str = "snapshot_id";

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(create_snapshot), write(NoBody, Long, Once))
        .add(routes!(list_snapshots), read(Unary))
        .add(routes!(get_snapshot), read(Unary))
        .add(routes!(delete_snapshot), write(NoBody, Long, Once))
}

fn shown(record: SnapshotRecord) -> Snapshot {
    Snapshot {
        id: record.id,
        sandbox_id: record.sandbox,
        runtime: record.runtime,
        created_at: record.created_at.into(),
    }
}

/// Take a snapshot
///
/// Keeps the file system of a running sandbox as it is now; processes are not in it. It outlives the
/// sandbox and is the source of new ones, for this organisation alone.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/snapshots", tag = "snapshots",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses(
        (status = 201, description = "It is taken", body = Snapshot),
        (status = 400, description = "The runtime takes none, or the organisation has as many as it may"),
        (status = 409, description = "The sandbox does not run"),
    ),
)]
async fn create_snapshot(
    State(state): State<AppState>,
    caller: Caller,
    Live(sandbox): Live,
) -> Result<(StatusCode, Json<Snapshot>), ApiError> {
    let id = sandbox.handle()?.snapshot().await?;
    let record = state.engine().snapshot_of(caller.owner(), &id).await?;
    Ok((StatusCode::CREATED, Json(shown(record))))
}

/// List snapshots
#[utoipa::path(
    get, path = "/v1/snapshots", tag = "snapshots",
    responses((status = 200, description = "Newest first", body = SnapshotList)),
)]
async fn list_snapshots(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<SnapshotList>, ApiError> {
    let records = state.engine().snapshots(caller.owner()).await?;
    let snapshots = records.into_iter().map(shown).collect();
    Ok(Json(SnapshotList { snapshots }))
}

/// Get a snapshot
#[utoipa::path(
    get, path = "/v1/snapshots/{id}", tag = "snapshots",
    params(("id" = String, Path, description = "The snapshot's id")),
    responses(
        (status = 200, description = "The snapshot", body = Snapshot),
        (status = 404, description = "There is none, or it is another organisation's"),
    ),
)]
async fn get_snapshot(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Snapshot>, ApiError> {
    let id = parse(&id)?;
    let record = state.engine().snapshot_of(caller.owner(), &id).await;
    Ok(Json(shown(record.map_err(named)?)))
}

/// Remove a snapshot
///
/// Sandboxes made from it are not affected.
#[utoipa::path(
    delete, path = "/v1/snapshots/{id}", tag = "snapshots",
    params(("id" = String, Path, description = "The snapshot's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is none, or it is another organisation's"),
    ),
)]
async fn delete_snapshot(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse(&id)?;
    let removed = state.engine().remove_snapshot(caller.owner(), &id).await;
    removed.map_err(named)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What cannot be an id is the id of no snapshot.
fn parse(id: &str) -> Result<SnapshotId, ApiError> {
    SnapshotId::new(id).map_err(|cause| {
        let message = "there is no such snapshot";
        let error = Error::new(ErrorKind::NotFound, "api.snapshot", message);
        error.with_field(FIELD).with_source(cause).into()
    })
}

/// The engine knows snapshots as the sources of sandboxes.
fn named(error: Error) -> ApiError {
    let is_source = error.field() == Some("source.snapshot");
    let error = ApiError::from(error);
    match is_source {
        true => error.with_field(FIELD),
        false => error,
    }
}
