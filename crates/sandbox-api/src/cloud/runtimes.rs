//! Runtimes: what they can do and how they fare.

use std::time::Duration;

use axum::extract::State;
use futures_util::future::join_all;
use sandbox_api_types::{Health, Runtime, RuntimeList};
use sandbox_core::RuntimeName;
use utoipa_axum::routes;

use crate::extract::Json;
use crate::route::Deadline::Unary;
use crate::route::{Table, read};
use crate::state::AppState;

/// How long a backend may take to say how it fares.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT).add(routes!(list_runtimes), read(Unary))
}

/// List runtimes
///
/// What each can do, and whether its backend answers. What that backend is, and why it does not, is
/// for the operator alone.
#[utoipa::path(
    get, path = "/v1/runtimes", tag = "runtimes",
    responses((status = 200, description = "By name", body = RuntimeList)),
)]
async fn list_runtimes(State(state): State<AppState>) -> Json<RuntimeList> {
    let runtimes = state.engine().runtimes();
    let described = runtimes.map(|(name, runtime)| describe(&state, name, runtime.as_ref()));
    Json(RuntimeList {
        runtimes: join_all(described).await,
    })
}

async fn describe(
    state: &AppState,
    name: &RuntimeName,
    runtime: &dyn sandbox_core::Runtime,
) -> Runtime {
    let health = match tokio::time::timeout(HEALTH_TIMEOUT, runtime.health()).await {
        Ok(Ok(_)) => Health::Ok,
        Ok(Err(error)) => {
            tracing::warn!(runtime = %name, error = error.report(), "a runtime is not well");
            Health::Failing
        }
        Err(_) => Health::Unanswered,
    };
    Runtime {
        name: name.clone(),
        default: state.engine().default_runtime() == Some(name),
        available: state.engine().is_available(name).unwrap_or(false),
        capabilities: runtime.capabilities().clone().into(),
        health,
    }
}
