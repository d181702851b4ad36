//! Answers, as they are kept and given again.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use sandbox_core::{Error, ErrorKind, Result};
use sandbox_engine::idempotency::Answer;

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The largest answer that is read into memory to be kept. Routes whose answers can be larger
/// refuse keys.
const MAX_BYTES: usize = 64 << 20;

/// `response`, read whole, to be kept.
///
/// # Errors
/// `Internal` when it cannot be read, or is larger than answers of such routes are.
pub(super) async fn keep(response: Response) -> Result<Answer> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BYTES).await.map_err(|e| {
        let message = "the answer could not be read";
        Error::new(ErrorKind::Internal, "api.idempotency", message).with_source(e)
    })?;
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body,
    })
}

/// A kept answer as a response, but for the header called `hidden`.
pub(super) fn give(answer: Answer, hidden: &str, is_replay: bool) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name);
        let pair = name.ok().zip(HeaderValue::try_from(value).ok());
        if let Some((name, value)) = pair.filter(|(name, _)| name.as_str() != hidden) {
            response.headers_mut().append(name, value);
        }
    }
    if is_replay {
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
