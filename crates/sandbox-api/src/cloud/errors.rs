//! The dialect's one table from errors to statuses and codes.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sandbox_api_types::{ErrorBody, ErrorDetail, codes};
use sandbox_core::{Error, ErrorKind};

use crate::error::{ApiError, Reason};
use crate::extract::{Json, RequestId};

/// The status and the code of an error.
pub(super) fn status(error: &ApiError) -> (StatusCode, &'static str) {
    match error.reason() {
        Reason::Failed(kind) => (status_of(kind, error.field()), kind.as_str()),
        Reason::Unauthorized => (StatusCode::UNAUTHORIZED, codes::UNAUTHORIZED),
        Reason::RateLimited => (StatusCode::TOO_MANY_REQUESTS, codes::RATE_LIMITED),
        Reason::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, codes::PAYLOAD_TOO_LARGE),
        Reason::UnsupportedMediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            codes::UNSUPPORTED_MEDIA_TYPE,
        ),
        Reason::NoSuchPath => (StatusCode::NOT_FOUND, "not_found"),
        Reason::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, codes::METHOD_NOT_ALLOWED),
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
        // Not the sandbox was slow but whoever sent the request.
        ErrorKind::Timeout if field == Some("body") => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A kind that this crate does not know is a defect of this table.
        ErrorKind::Internal | _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The error as the dialect writes it, also inside of streams.
pub(super) fn detail(error: &ApiError, request_id: &RequestId) -> ErrorDetail {
    let (status, code) = status(error);
    let message = match status {
        // What went wrong inside is nobody's business; the log has it under this id.
        StatusCode::INTERNAL_SERVER_ERROR => {
            format!("something went wrong in the server; the request's id is {request_id}")
        }
        _ => error.message().to_owned(),
    };
    let detail = ErrorDetail::new(code, message);
    match error.field() {
        Some(field) if status != StatusCode::INTERNAL_SERVER_ERROR => detail.with_field(field),
        Some(_) | None => detail,
    }
}

/// Writes to the log what its sender is not told.
pub(super) fn log(error: &ApiError, request_id: &RequestId) {
    if status(error).0 != StatusCode::INTERNAL_SERVER_ERROR {
        return;
    }
    let cause = error
        .cause()
        .map_or_else(|| error.message().to_owned(), Error::report);
    tracing::error!(%request_id, error = cause, "a request failed");
}

pub(crate) fn render(error: &ApiError, request_id: &RequestId) -> Response {
    log(error, request_id);
    let (status, _) = status(error);
    let body = ErrorBody::from(detail(error, request_id));
    let mut response = (status, Json(body)).into_response();
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
