//! What a server says of itself: alive, ready, measured. Nothing of it asks for a key of an
//! organisation.

use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sandbox_core::lifecycle::State as Lifecycle;
use sandbox_core::{Error, ErrorKind, Result};
use sandbox_engine::store::EventQuery;
use sandbox_engine::{ListFilter, MAX_PAGE};
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::config::MetricsAccess;
use crate::dialect::Dialect;
use crate::error::{ApiError, Reason};
use crate::extract::Json;
use crate::route::{Table, open};
use crate::state::AppState;

pub(crate) static DIALECT: Dialect = Dialect {
    name: "server",
    is_limited: false,
    render: crate::cloud::render,
};

/// How long the store may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn table() -> Table {
    Table::new(&DIALECT)
        .add(routes!(healthz), open())
        .add(routes!(readyz), open())
        .add(routes!(metrics), open())
}

/// That the server lives, or is ready.
#[derive(Debug, Serialize, ToSchema)]
struct Fine {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const FINE: Json<Fine> = Json(Fine { status: "ok" });

/// Whether the server lives
///
/// It answers, and nothing else is asked.
#[utoipa::path(
    get, path = "/healthz", tag = "server",
    responses((status = 200, description = "It lives", body = Fine)),
)]
async fn healthz() -> Json<Fine> {
    FINE
}

/// Whether the server can do its work
///
/// The store answers, at least one runtime does, and no shutdown has begun.
#[utoipa::path(
    get, path = "/readyz", tag = "server",
    responses((status = 200, description = "It is ready", body = Fine)),
)]
async fn readyz(State(state): State<AppState>) -> Result<Json<Fine>, ApiError> {
    if state.shutdown().is_cancelled() {
        return Err(not_ready("the server is shutting down"));
    }
    let looked = tokio::time::timeout(PATIENCE, look_into_stores(&state)).await;
    if let Err(e) = looked.unwrap_or_else(|_| Err(too_slow())) {
        tracing::error!(error = e.report(), "the server is not ready");
        return Err(not_ready("the store does not answer"));
    }
    let engine = state.engine();
    let mut names = engine.runtimes().map(|(name, _)| name);
    match names.any(|name| engine.is_available(name).unwrap_or(false)) {
        true => Ok(FINE),
        false => Err(not_ready("no runtime answers")),
    }
}

async fn look_into_stores(state: &AppState) -> Result<()> {
    let query = EventQuery {
        owner: None,
        sandbox: None,
        from: u64::MAX,
        limit: 1,
    };
    state.engine().store().events(&query).await?;
    // No key, so nobody: what counts is that the store says so.
    state.owners().authenticate("readyz", state.now()).await?;
    Ok(())
}

fn too_slow() -> Error {
    let message = format!("the store did not answer within {} s", PATIENCE.as_secs());
    Error::new(ErrorKind::Timeout, "api.readyz", message)
}

fn not_ready(message: &str) -> ApiError {
    Error::new(ErrorKind::Unavailable, "api.readyz", message).into()
}

/// What the server counts
///
/// In Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")),
)]
async fn metrics(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    check_access(&state.config().metrics, &request)?;
    let now = present(&state).await?;
    let text = state.metrics().write(&now).map_err(|e| {
        let message = "the metrics cannot be written";
        Error::new(ErrorKind::Internal, "api.metrics", message).with_source(e)
    })?;
    let content_type = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}

fn check_access(access: &MetricsAccess, request: &Request) -> Result<(), ApiError> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_allowed = match access {
        MetricsAccess::Off => return Err(ApiError::new(Reason::NoSuchPath, "metrics are off")),
        MetricsAccess::Open => true,
        MetricsAccess::Loopback => {
            peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        }
        MetricsAccess::Token(token) => has_token(request.headers(), token),
    };
    if is_allowed {
        return Ok(());
    }
    let message = "the metrics are not for everybody; the server's configuration says for whom";
    Err(ApiError::new(Reason::Unauthorized, message))
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let presented = value.and_then(|value| value.strip_prefix(b"Bearer "));
    presented.is_some_and(|presented| presented.ct_eq(token.as_bytes()).into())
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

/// What is only known when it is asked for: how many sandboxes there are, and events so far.
async fn present(state: &AppState) -> Result<Registry> {
    let mut registry = Registry::with_prefix("sandbox");
    let sandboxes = Family::<InState, Gauge<i64, AtomicI64>>::default();
    let mut filter = ListFilter {
        limit: MAX_PAGE,
        ..ListFilter::default()
    };
    loop {
        let page = state.engine().list(&filter).await?;
        for sandbox in &page.sandboxes {
            let state = word(sandbox.state());
            sandboxes.get_or_create(&InState { state }).inc();
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    registry.register("sandboxes", "Sandboxes that are not destroyed", sandboxes);
    let events = *state.engine().store().committed().borrow();
    registry.register("events", "Events so far", ConstCounter::new(events));
    Ok(registry)
}

const fn word(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Creating => "creating",
        Lifecycle::Running => "running",
        Lifecycle::Pausing => "pausing",
        Lifecycle::Paused => "paused",
        Lifecycle::Resuming => "resuming",
        Lifecycle::Destroying => "destroying",
        Lifecycle::Destroyed => "destroyed",
        Lifecycle::Failed => "failed",
    }
}
