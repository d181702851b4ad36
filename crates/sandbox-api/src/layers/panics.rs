//! A panic in a handler is one request's trouble.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use sandbox_core::{Error, ErrorKind};

use crate::error::ApiError;

/// The answer, or the error that stands for a panic on the way to it.
pub(super) async fn caught(answer: impl Future<Output = Response>) -> Response {
    // Nothing that the future borrowed is looked at again: what handlers share is behind locks
    // that stay consistent, or belongs to the engine's own tasks.
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => defect(&message(panic.as_ref())).into_response(),
    }
}

/// The error that stands for a panic.
pub(super) fn defect(message: &str) -> ApiError {
    let message = format!("a handler panicked: {message}");
    Error::new(ErrorKind::Internal, "api.handler", message).into()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_that_only_the_log_sees() {
        let panicking = async { panic!("secret {}", 1) };
        let response = caught(panicking).await;
        let error = response.extensions().get::<ApiError>().unwrap();
        assert!(error.message().contains("secret 1"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
