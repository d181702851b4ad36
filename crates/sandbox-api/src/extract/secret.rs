//! Answers that must not be kept.

use std::convert::Infallible;

use axum::response::{IntoResponseParts, ResponseParts};

/// As part of an answer, says that it shows a secret: under an idempotency key the answer is given
/// once and not kept, and the same request again is a conflict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownOnce;

impl IntoResponseParts for ShownOnce {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}
