//! What a sandbox may connect to: see it, replace it, ask why.

use sandbox_api_types::{EgressPolicy, ExplainRequest, Explanation};
use sandbox_core::{Error, Sandbox};
use utoipa_axum::routes;

use axum::extract::State;

use super::live::Live;
use crate::error::ApiError;
use crate::extract::{Json, SandboxRef};
use crate::route::BodyClass;
use crate::route::Deadline::{Long, Unary};
use crate::route::Repeat::{Repeatable, Safe};
use crate::route::{RoutePolicy, Table, read, write};
use crate::state::AppState;

/// Asking why has a body, and changes nothing.
const EXPLAIN: RoutePolicy = RoutePolicy {
    body: BodyClass::Json,
    repeat: Safe,
    ..read(Unary)
};

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(get_egress), read(Unary))
        .add(
            routes!(put_egress),
            write(BodyClass::Json, Long, Repeatable),
        )
        .add(routes!(explain_egress), EXPLAIN)
}

/// Get an egress policy
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/egress", tag = "egress",
    params(("id" = String, Path, description = "The sandbox's id")),
    responses((status = 200, description = "The policy that was asked for last", body = EgressPolicy)),
)]
async fn get_egress(sandbox: SandboxRef) -> Json<EgressPolicy> {
    Json(EgressPolicy::from(&*sandbox.record.egress))
}

/// Replace an egress policy
///
/// In force when this answers, for what is connected already too.
#[utoipa::path(
    put, path = "/v1/sandboxes/{id}/egress", tag = "egress",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = EgressPolicy,
    responses(
        (status = 200, description = "It is in force", body = EgressPolicy),
        (status = 400, description = "Unknown mode, `allow_all` together with a list, `allow_ports` without `allow_cidrs`, a CIDR that does not parse, a port outside 1 to 65535, or what the runtime cannot enforce"),
        (status = 409, description = "The sandbox failed or is being destroyed"),
    ),
)]
async fn put_egress(
    Live(sandbox): Live,
    Json(policy): Json<EgressPolicy>,
) -> Result<Json<EgressPolicy>, ApiError> {
    let rules = policy.into_core().map_err(in_body)?;
    sandbox
        .handle()?
        .set_egress(&rules)
        .await
        .map_err(in_body)?;
    Ok(Json(EgressPolicy::from(rules)))
}

/// The error with the field as the body of this request names it: the core knows policies as the
/// field `egress` of something.
fn in_body(error: Error) -> ApiError {
    let field = error
        .field()
        .and_then(|field| field.strip_prefix("egress."));
    let field = field.map(str::to_owned);
    let error = ApiError::from(error);
    match field {
        Some(field) => error.with_field(field),
        None => error,
    }
}

/// Explain an egress policy
///
/// Says whether the policy allows a destination, which rule decided, and why. Only the policy is
/// asked: which addresses are the host's, a neighbour's, or stand behind an allowed name, its
/// runtime alone knows.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/egress/explain", tag = "egress",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = ExplainRequest,
    responses((status = 200, description = "Whether, and why", body = Explanation)),
)]
async fn explain_egress(
    State(state): State<AppState>,
    sandbox: SandboxRef,
    Json(request): Json<ExplainRequest>,
) -> Result<Json<Explanation>, ApiError> {
    let destination = request.destination.into_core()?;
    let explained = state.engine().explain_egress(sandbox.id(), &destination);
    Ok(Json(explained.await?.into()))
}
