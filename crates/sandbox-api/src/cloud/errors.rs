//! The dialect's one table from errors to statuses and codes.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sandbox_core::ErrorKind;
use serde::Serialize;

use crate::error::{ApiError, Reason};

/// The status and the code of an error.
pub(super) fn status(error: &ApiError) -> (StatusCode, &'static str) {
    match error.reason() {
        Reason::Failed(kind) => (status_of(kind, error.field()), kind.as_str()),
        Reason::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Reason::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        Reason::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
        Reason::UnsupportedMediaType => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
        }
        Reason::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
        Reason::NoSuchPath => (StatusCode::NOT_FOUND, "not_found"),
        Reason::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        Reason::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    }
}

fn status_of(kind: ErrorKind, field: Option<&str>) -> StatusCode {
    match kind {
        ErrorKind::InvalidSpec | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        // What frees itself with time is worth another try; a value that is too large is not.
        ErrorKind::LimitExceeded if field.is_some_and(|field| field.starts_with("quotas.")) => {
            StatusCode::TOO_MANY_REQUESTS
        }
        ErrorKind::LimitExceeded => StatusCode::BAD_REQUEST,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A kind that this crate does not know is a defect of this table.
        ErrorKind::Internal | _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

pub(super) fn render(error: &ApiError, request_id: &str) -> Response {
    let (status, code) = status(error);
    let internal = format!("something went wrong here; request {request_id}");
    let message = match status {
        StatusCode::INTERNAL_SERVER_ERROR => &internal,
        _ => error.message(),
    };
    let details = Details {
        code,
        message,
        field: error.field(),
    };
    let mut response = (status, Json(Body { error: details })).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    let seconds = error
        .retry_after()
        .map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0));
    if let Some(seconds) = seconds.or(unavailable.then_some(1)) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
