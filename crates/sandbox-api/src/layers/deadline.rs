//! How long a route may take to begin its answer.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use sandbox_core::{Error, ErrorKind};

use crate::config::ApiConfig;
use crate::error::ApiError;
use crate::route::Deadline;

/// The time that `deadline` stands for. A stream has to begin in time, and then goes on.
fn limit(deadline: Deadline, config: &ApiConfig) -> Duration {
    match deadline {
        Deadline::Unary => config.unary_timeout,
        Deadline::Long | Deadline::Stream => config.long_timeout,
    }
}

/// The answer, or the error that it did not come in time. The work is dropped then.
pub(super) async fn within(
    deadline: Deadline,
    config: &ApiConfig,
    answer: impl Future<Output = Response>,
) -> Response {
    let limit = limit(deadline, config);
    match tokio::time::timeout(limit, answer).await {
        Ok(response) => response,
        Err(_) => late(limit).into_response(),
    }
}

/// What comes of reading a request's body before its route begins, which may take as long as the
/// route may.
///
/// # Errors
/// `Timeout` with field `body`; what `read` fails with.
pub(super) async fn arrived<T>(
    deadline: Deadline,
    config: &ApiConfig,
    read: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let limit = limit(deadline, config);
    let read = tokio::time::timeout(limit, read).await;
    read.unwrap_or_else(|_| {
        let message = format!("was not there whole within {} seconds", limit.as_secs());
        let error = Error::new(ErrorKind::Timeout, "api.body", message);
        Err(error.with_field("body").into())
    })
}

fn late(limit: Duration) -> ApiError {
    let message = format!("was not done within {} seconds", limit.as_secs());
    Error::new(ErrorKind::Timeout, "api.request", message).into()
}
