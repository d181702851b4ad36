//! The life of a sandbox: longer, shorter, suspended, awake.

use axum::extract::State;
use sandbox_api_types::{Sandbox, TimeoutRequest};
use sandbox_core::lifecycle::State as Stage;
use sandbox_core::{Error, ErrorKind};
use utoipa_axum::routes;

use super::live::Live;
use super::sandboxes::shown;
use crate::error::ApiError;
use crate::extract::Json;
use crate::route::BodyClass::{self, None as NoBody};
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::Repeatable;
use crate::route::{Table, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(
            routes!(keep_alive),
            write(BodyClass::Json, Unary, Repeatable),
        )
        .add(
            routes!(set_timeout),
            write(BodyClass::Json, Unary, Repeatable),
        )
        .add(routes!(wake), write(NoBody, Long, Repeatable))
        .add(routes!(suspend), write(NoBody, Long, Repeatable))
}

/// Extend the expiry of an ephemeral sandbox
///
/// It lives at least `timeout` from now; a sandbox that lives longer anyway is left as it is. More
/// than `24h` is `24h`.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/keepalive", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = TimeoutRequest,
    responses(
        (status = 200, description = "The sandbox", body = Sandbox),
        (status = 409, description = "It is not ephemeral, or not running"),
    ),
)]
async fn keep_alive(
    State(state): State<AppState>,
    Live(sandbox): Live,
    Json(body): Json<TimeoutRequest>,
) -> Result<Json<Sandbox>, ApiError> {
    let time_to_live = body.time_to_live()?;
    if sandbox.record.state() == Stage::Creating {
        let message = "the sandbox is being created and does not run yet";
        return Err(Error::new(ErrorKind::Conflict, "api.keepalive", message).into());
    }
    let kept = state.engine().keep_alive(sandbox.id(), time_to_live);
    Ok(Json(shown(&state, &*kept.await?)))
}

/// Set the expiry of an ephemeral sandbox
///
/// It lives exactly `timeout` from now, longer or shorter than before; a suspended one, from when
/// it is woken. More than `24h` is `24h`.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/timeout", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = TimeoutRequest,
    responses(
        (status = 200, description = "The sandbox", body = Sandbox),
        (status = 409, description = "It is not ephemeral, or has ended"),
    ),
)]
async fn set_timeout(
    State(state): State<AppState>,
    Live(sandbox): Live,
    Json(body): Json<TimeoutRequest>,
) -> Result<Json<Sandbox>, ApiError> {
    let time_to_live = body.time_to_live()?;
    let set = state.engine().set_timeout(sandbox.id(), time_to_live);
    Ok(Json(shown(&state, &*set.await?)))
}

/// Wake a suspended sandbox
///
/// Answers when it runs; one that runs is no error.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/wake", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses(
        (status = 200, description = "It runs", body = Sandbox),
        (status = 409, description = "It is in a state that cannot be woken"),
    ),
)]
async fn wake(
    State(state): State<AppState>,
    Live(sandbox): Live,
) -> Result<Json<Sandbox>, ApiError> {
    let record = state.engine().resume(sandbox.id()).await?;
    Ok(Json(shown(&state, &record)))
}

/// Suspend a sandbox
///
/// Stops everything in it where it stands, until it is woken. Answers when it is suspended; one
/// that is suspended is no error.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/suspend", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses(
        (status = 200, description = "It is suspended", body = Sandbox),
        (status = 400, description = "Its runtime cannot suspend"),
        (status = 409, description = "It is in a state that cannot be suspended"),
    ),
)]
async fn suspend(
    State(state): State<AppState>,
    Live(sandbox): Live,
) -> Result<Json<Sandbox>, ApiError> {
    let record = state.engine().pause(sandbox.id()).await?;
    Ok(Json(shown(&state, &record)))
}
