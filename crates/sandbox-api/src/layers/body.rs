//! Bounds on the body of a request: how large, and how long without a byte.

use std::error::Error as StdError;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::{LengthLimitError, Limited};
use sandbox_core::{Error, ErrorKind};
use tower_http::timeout::{TimeoutBody, TimeoutError};

use crate::config::ApiConfig;
use crate::error::{ApiError, Reason};
use crate::route::BodyClass;

/// The most bytes of a body of this class.
pub(super) fn limit(class: BodyClass, config: &ApiConfig) -> u64 {
    match class {
        // Not read by the route; enough for an empty object that a client sends all the same.
        BodyClass::None => 1024,
        BodyClass::Json => config.max_json_bytes,
        BodyClass::File => config.max_file_bytes,
    }
}

/// Refuses a body that says beforehand that it is too large.
pub(super) fn check_length(
    class: BodyClass,
    headers: &HeaderMap,
    config: &ApiConfig,
) -> Result<(), ApiError> {
    let limit = limit(class, config);
    let length = content_length(headers);
    match class != BodyClass::None && length.is_some_and(|length| length > limit) {
        true => Err(answered(too_large(class, config), class)),
        false => Ok(()),
    }
}

/// What the request says of its body's length.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `body`, which ends with an error when it is too large or too slow.
pub(super) fn bounded(class: BodyClass, body: Body, config: &ApiConfig) -> Body {
    let limit = usize::try_from(limit(class, config)).unwrap_or(usize::MAX);
    let timed = TimeoutBody::new(config.body_idle_timeout, body);
    Body::new(Limited::new(timed, limit))
}

/// What went wrong with a body that could not be read, with field `body`: `LimitExceeded` when it is
/// too large, `Timeout` when nothing came for too long, otherwise `InvalidSpec`.
pub(crate) fn failure(error: axum::Error, class: BodyClass, config: &ApiConfig) -> Error {
    if is_caused_by::<LengthLimitError>(&error) {
        return too_large(class, config);
    }
    let failure = if is_caused_by::<TimeoutError>(&error) {
        let seconds = config.body_idle_timeout.as_secs();
        let message = format!("nothing of it came for {seconds} seconds");
        Error::new(ErrorKind::Timeout, "api.body", message)
    } else {
        Error::new(ErrorKind::InvalidSpec, "api.body", "did not arrive whole")
    };
    failure.with_field("body").with_source(error)
}

fn too_large(class: BodyClass, config: &ApiConfig) -> Error {
    let limit = limit(class, config);
    let setting = match class {
        BodyClass::None => "",
        BodyClass::Json => " (the server's setting api.max_json_bytes)",
        BodyClass::File => " (the server's setting api.max_file_bytes)",
    };
    let message =
        format!("has more than {limit} bytes, the most that may be sent at once{setting}");
    Error::new(ErrorKind::LimitExceeded, "api.body", message).with_field("body")
}

/// A failure as it is answered: JSON that is too large has a status of its own, a file that is too
/// large is like any other limit.
pub(crate) fn answered(failure: Error, class: BodyClass) -> ApiError {
    match (failure.kind(), class) {
        (ErrorKind::LimitExceeded, BodyClass::None | BodyClass::Json) => {
            ApiError::new(Reason::PayloadTooLarge, failure.message()).with_field("body")
        }
        (_, _) => failure.into(),
    }
}

fn is_caused_by<E: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}
