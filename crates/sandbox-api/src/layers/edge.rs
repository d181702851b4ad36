//! Around everything: gives each request an id, a span and a place in the metrics, and each answer
//! its form.

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderName;
use axum::http::header::ALLOW;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::{panics, security, span};
use crate::dialect::Dialect;
use crate::error::{ApiError, Reason};
use crate::extract::RequestId;
use crate::state::AppState;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the edge of a dialect needs.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) state: AppState,
    pub(crate) dialect: &'static Dialect,
}

/// Takes a request in and lets its answer out.
pub(crate) async fn pass(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    request.extensions_mut().insert(id.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let span = span::of(edge.dialect.name, request.method(), route, &id);
    let measured = edge
        .state
        .metrics()
        .begin(edge.dialect.name, request.method(), route);

    let response = answer(&edge, request, next).instrument(span.clone()).await;
    let mut response = span.in_scope(|| written(edge.dialect, response, &id));
    response.headers_mut().insert(X_REQUEST_ID, id.to_header());
    security::add(response.headers_mut());
    span::close(&span, response.status());
    measured.end(response.status());
    response
}

async fn answer(edge: &Edge, request: Request, next: Next) -> Response {
    // Held until there is an answer; how long that is sent is for the limit of connections.
    let room = edge
        .dialect
        .is_limited
        .then(|| edge.state.room().try_acquire());
    if matches!(room, Some(Err(_))) {
        return overloaded().into_response();
    }
    panics::caught(next.run(request)).await
}

/// What is answered when there is no room for more.
pub(super) fn overloaded() -> ApiError {
    let message = "the server has as many requests as it takes on; try again";
    ApiError::new(Reason::Overloaded, message)
}

fn request_id(request: &Request) -> RequestId {
    let sent = request.headers().get(&X_REQUEST_ID);
    sent.and_then(RequestId::chosen)
        .unwrap_or_else(RequestId::random)
}

/// The answer, where it stands for an error, as the dialect writes that.
pub(super) fn written(dialect: &Dialect, mut response: Response, id: &RequestId) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    let mut rendered = (dialect.render)(&error, id);
    // What was added on the way: which methods there are, how many requests are left.
    for (name, value) in response.headers() {
        let is_ours = *name == ALLOW || name.as_str().starts_with("x-ratelimit-");
        if is_ours {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}
