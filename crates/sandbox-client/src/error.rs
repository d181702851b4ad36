//! From what goes wrong on the way to errors of the core.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use sandbox_api_types::{ErrorBody, ErrorDetail, codes};
use sandbox_core::{Error, ErrorKind};

use crate::answer;
use crate::limits::Limits;
use crate::retry::Failed;

/// The longest message of a server that is passed on, in characters.
const MAX_MESSAGE: usize = 2_000;
/// The longest name of a field that is passed on, in characters.
const MAX_FIELD: usize = 200;

/// An error of the transport: the server was not reached, or its answer was cut. The address is
/// left out of it, because the caller knows it and its parts may be long.
pub(crate) fn transport(operation: &'static str, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let (kind, message) = if error.is_builder() {
        (ErrorKind::Internal, "the request cannot be made")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "the server cannot be reached")
    } else if error.is_decode() {
        (ErrorKind::Unavailable, "the answer broke off")
    } else {
        (
            ErrorKind::Unavailable,
            "the connection to the server broke off",
        )
    };
    Error::new(kind, operation, message).with_source(error)
}

/// The end of patience.
pub(crate) fn timed_out(operation: &'static str, limit: Duration) -> Error {
    let message = format!("the server did not answer within {} s", limit.as_secs_f64());
    Error::new(ErrorKind::Timeout, operation, message)
}

/// An answer that makes no sense.
pub(crate) fn nonsense(operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, operation, message)
}

/// What an answer that is no success says.
pub(crate) async fn refused(operation: &'static str, answer: Response, limits: &Limits) -> Failed {
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    let body = answer::bounded(operation, answer, limits.max_error_bytes).await;
    let body = body.ok().map(|body| body.to_vec()).unwrap_or_default();
    let error = match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => shortened(body.error).into_error(operation),
        Err(_) => from_status(operation, status),
    };
    let asks_for_time = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let failed = Failed::of(error);
    Failed {
        // A rate is over in a moment, a quota is not: the server says how long for the first.
        passing: failed.passing
            || (status == StatusCode::TOO_MANY_REQUESTS && retry_after.is_some()),
        retry_after: retry_after.filter(|_| asks_for_time),
        ..failed
    }
}

/// What the server says, as much of it as anybody reads.
pub(crate) fn shortened(mut detail: ErrorDetail) -> ErrorDetail {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    detail.message = cut(&detail.message, MAX_MESSAGE);
    detail.field = detail.field.map(|field| cut(&field, MAX_FIELD));
    detail
}

/// An answer in nobody's words, such as a proxy's.
fn from_status(operation: &'static str, status: StatusCode) -> Error {
    let message = format!("the server answered {status}");
    let code = match status.as_u16() {
        400 | 422 => ErrorKind::InvalidSpec.as_str(),
        401 => codes::UNAUTHORIZED,
        403 => ErrorKind::PermissionDenied.as_str(),
        404 => ErrorKind::NotFound.as_str(),
        405 => codes::METHOD_NOT_ALLOWED,
        409 => ErrorKind::Conflict.as_str(),
        413 => codes::PAYLOAD_TOO_LARGE,
        429 => codes::RATE_LIMITED,
        502 | 503 => ErrorKind::Unavailable.as_str(),
        408 | 504 => ErrorKind::Timeout.as_str(),
        _ => ErrorKind::Internal.as_str(),
    };
    ErrorDetail::new(code, message).into_error(operation)
}

/// How many seconds the server asks to wait; dates are not understood, and are not sent by ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    seconds.ok().map(Duration::from_secs)
}
