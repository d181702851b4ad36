//! How a sandbox is: what it uses, and whether it works.

use axum::extract::State;
use sandbox_api_types::{Diagnostics, Stats};
use sandbox_engine::tools::diagnostics::{DiagnoseOptions, diagnose};
use utoipa_axum::routes;

use super::live::Live;
use crate::error::ApiError;
use crate::extract::Json;
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::Safe;
use crate::route::{Table, read, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(stats), read(Unary))
        // It runs commands and writes a file, which is no reader's business.
        .add(routes!(diagnostics), write(NoBody, Long, Safe))
}

/// What a sandbox uses
///
/// This is no activity: it wakes nothing and keeps nothing awake.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/stats", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "What it uses now, and has used", body = Stats)),
)]
async fn stats(
    State(state): State<AppState>,
    Live(sandbox): Live,
) -> Result<Json<Stats>, ApiError> {
    Ok(Json(state.engine().stats(sandbox.id()).await?.into()))
}

/// Whether a sandbox works
///
/// Writes a file and reads it back, runs a command, and connects to the server's target where it
/// has one and the egress policy allows it. Each check is `ok`, `failed: why` or `skipped: why`.
/// Needs a key that may write.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/diagnostics", tag = "sandboxes",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "What the checks found", body = Diagnostics)),
)]
async fn diagnostics(
    State(state): State<AppState>,
    Live(sandbox): Live,
) -> Result<Json<Diagnostics>, ApiError> {
    let options = DiagnoseOptions {
        target: state.config().diagnostics_target.clone(),
        egress: Some(sandbox.record.egress.as_ref().clone()),
        ..DiagnoseOptions::default()
    };
    let report = diagnose(&*sandbox.handle()?, &options).await;
    let checks = report.checks().iter();
    Ok(Json(Diagnostics {
        healthy: report.is_healthy(),
        checks: checks
            .map(|(name, check)| ((*name).to_owned(), check.to_string()))
            .collect(),
    }))
}
