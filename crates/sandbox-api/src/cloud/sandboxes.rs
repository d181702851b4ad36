//! Sandboxes: make, list, look at, destroy.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use sandbox_api_types::{
    CreateSandbox, Environment, ListSandboxes, Sandbox, SandboxList, SandboxStatus, SandboxView,
};
use sandbox_core::lifecycle::State as Stage;
use sandbox_engine::{DEFAULT_PAGE, ListFilter, OwnerId, SandboxRecord};
use utoipa_axum::routes;

use super::create;
use crate::error::ApiError;
use crate::extract::{Caller, Creation, Json, SandboxRef};
use crate::route::BodyClass::{self, None as NoBody};
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::{Create, Repeatable, Safe};
use crate::route::{Table, read, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(
            routes!(create_sandbox),
            write(BodyClass::Json, Long, Create),
        )
        .add(routes!(list_sandboxes), read(Unary))
        .add(routes!(get_sandbox), read(Unary))
        // Only who may run commands is shown what every command is given. A key means nothing: the
        // answer is of now, and its secrets are not to be kept with it.
        .add(routes!(get_environment), write(NoBody, Unary, Safe))
        .add(routes!(destroy_sandbox), write(NoBody, Long, Repeatable))
}

/// A sandbox as the dialect shows it.
pub(super) fn shown(state: &AppState, record: &SandboxRecord) -> Sandbox {
    let sizes = state.engine().templates().sizes();
    let resources = record.spec.resources();
    // The smallest that fits is the sandbox's own only when it is no larger.
    let is_exact = |name: &&str| {
        sizes.get(name).is_ok_and(|size| {
            (size.milli_cpus, size.memory) == (resources.milli_cpus, resources.memory)
        })
    };
    Sandbox::from(SandboxView {
        spec: &record.spec,
        egress: &record.egress,
        lifecycle: &record.lifecycle,
        runtime: &record.runtime,
        size: sizes.fitting(resources).filter(is_exact),
        available: record.available,
        now: state.now(),
    })
}

/// Create a sandbox
///
/// From exactly one of `template`, `image` and `snapshot`. Answers when it runs, or with
/// `wait: false` while it is being made. Without `egress`, the template's policy is in force, and
/// for a sandbox without a template one that allows nothing. With an `Idempotency-Key`, the same
/// request makes one sandbox however often it is sent, also over a restart of the server.
#[utoipa::path(
    post, path = "/v1/sandboxes", tag = "sandboxes",
    request_body = CreateSandbox,
    responses(
        (status = 201, description = "The sandbox", body = Sandbox),
        (status = 404, description = "There is no such template, runtime, image or snapshot"),
        (status = 409, description = "The id was used before"),
    ),
)]
async fn create_sandbox(
    State(state): State<AppState>,
    caller: Caller,
    creation: Creation,
    Json(body): Json<CreateSandbox>,
) -> Result<impl IntoResponse, ApiError> {
    let wait = body.wait;
    let sizes = state.engine().templates().sizes();
    let request = create::request(body, caller.owner(), sizes)?;
    let made = creation.make(request, wait).await;
    let record = made.map_err(create::renamed)?;
    let location = [(LOCATION, format!("/v1/sandboxes/{}", record.id()))];
    Ok((StatusCode::CREATED, location, Json(shown(&state, &record))))
}

/// List sandboxes
///
/// The caller's organisation's, newest first; without `status`, all that are not destroyed.
/// `metadata.NAME=VALUE`, any number of times, asks for those with all of these entries.
#[utoipa::path(
    get, path = "/v1/sandboxes", tag = "sandboxes",
    params(
        ("status" = Option<SandboxStatus>, Query, description = "Those in this status"),
        ("limit" = Option<usize>, Query, description = "The most to answer, 1 to 1000; 100 where none is given"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the part before"),
        ("metadata.NAME" = Option<String>, Query, description = "Those with this entry in their metadata"),
    ),
    responses((status = 200, description = "A part of the list", body = SandboxList)),
)]
async fn list_sandboxes(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<SandboxList>, ApiError> {
    let query = query.unwrap_or_default();
    let asked = ListSandboxes::from_pairs(form_urlencoded::parse(query.as_bytes()))?;
    let page = state.engine().list(&filter(asked, caller.owner())?).await?;
    Ok(Json(SandboxList {
        sandboxes: page
            .sandboxes
            .iter()
            .map(|record| shown(&state, record))
            .collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

fn filter(asked: ListSandboxes, owner: &OwnerId) -> sandbox_core::Result<ListFilter> {
    // What is on its way out counts as destroyed here, and is left out like what is.
    let states = match asked.status {
        Some(status) => status.states(),
        None => Stage::ALL
            .into_iter()
            .filter(|state| SandboxStatus::from(*state) != SandboxStatus::Destroyed)
            .collect(),
    };
    let cursor = asked.cursor.as_deref().map(str::parse).transpose()?;
    Ok(ListFilter {
        states: Some(states),
        metadata: asked.metadata,
        limit: asked.limit.unwrap_or(DEFAULT_PAGE),
        cursor,
        ..ListFilter::of(owner.clone())
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

/// Get a sandbox's environment variables
///
/// Those that every command in it is given, the template's included. They may be secrets: this takes
/// a key that may run commands.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/environment", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "The variables", body = Environment)),
)]
async fn get_environment(sandbox: SandboxRef) -> Json<Environment> {
    let env = sandbox.record.spec.env().clone();
    Json(Environment { env })
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
