//! The span of a request. Nothing of what its sender keeps secret is in it: no key, body, query,
//! path or environment, only the route's template.

use axum::http::{Method, StatusCode};
use tracing::Span;
use tracing::field::Empty;

use crate::extract::{Caller, RequestId};

/// What a request to no route is called.
pub(super) const UNMATCHED: &str = "unmatched";

pub(super) fn of(
    dialect: &'static str,
    method: &Method,
    route: Option<&str>,
    id: &RequestId,
) -> Span {
    tracing::info_span!(
        "request",
        request_id = %id,
        dialect,
        %method,
        route = route.unwrap_or(UNMATCHED),
        organisation = Empty,
        key_id = Empty,
        status = Empty,
    )
}

/// Notes who asks, once that is known.
pub(super) fn note_caller(caller: &Caller) {
    let span = Span::current();
    span.record("organisation", caller.organisation().as_str());
    span.record("key_id", caller.key_id().as_str());
}

/// Ends it.
pub(super) fn close(span: &Span, status: StatusCode) {
    span.record("status", status.as_u16());
    span.in_scope(|| tracing::debug!(status = status.as_u16(), "answered"));
}
