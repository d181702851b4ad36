//! Answers that go on until either side ends them.

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

/// `response`, whose body ends, as if it were complete, when the server shuts down.
pub(super) fn until(shutdown: &CancellationToken, response: Response) -> Response {
    let is_error = response.extensions().get::<ApiError>().is_some();
    // The connection of an upgraded one belongs to its handler.
    if is_error || !response.status().is_success() {
        return response;
    }
    let shutdown = shutdown.clone();
    response.map(|body| {
        let chunks = body.into_data_stream();
        Body::from_stream(chunks.take_until(shutdown.cancelled_owned()))
    })
}
