//! The gate before every route: it carries out the route's policy, in the one order there is.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::dialect::Dialect;
use crate::error::{ApiError, Reason};
use crate::extract::Caller;
use crate::route::RoutePolicy;
use crate::state::AppState;

#[derive(Debug, Clone)]
struct Gate {
    state: AppState,
    dialect: &'static Dialect,
    policy: RoutePolicy,
}

/// `handler` behind a gate that carries out `policy`.
pub(crate) fn before(
    handler: MethodRouter<AppState>,
    state: &AppState,
    dialect: &'static Dialect,
    policy: RoutePolicy,
) -> MethodRouter<AppState> {
    let gate = Gate {
        state: state.clone(),
        dialect,
        policy,
    };
    handler.route_layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    tracing::trace!(dialect = gate.dialect.name, "at the gate");
    match enter(&gate, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn enter(gate: &Gate, request: &mut Request) -> Result<(), ApiError> {
    request.extensions_mut().insert(gate.policy);
    let Some(scope) = gate.policy.scope else {
        return Ok(());
    };
    let key = presented(request.headers()).ok_or_else(unauthorized)?;
    let state = &gate.state;
    let principal = state.owners().authenticate(key, state.now()).await?;
    let principal = principal.ok_or_else(unauthorized)?;
    principal.require(scope)?;
    request.extensions_mut().insert(Caller::from(principal));
    Ok(())
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim());
    }
    headers.get("x-api-key")?.to_str().ok()
}

fn unauthorized() -> ApiError {
    let message = "no valid API key; pass one as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'";
    ApiError::new(Reason::Unauthorized, message)
}
