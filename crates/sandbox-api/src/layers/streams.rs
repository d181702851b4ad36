//! Answers that go on until either side ends them.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Reason};
use crate::extract::Caller;
use crate::state::{AppState, StreamPlace};

/// Takes a place for the stream that `request` asks for, and puts it into the request too: the body
/// of an answer is not where a WebSocket goes on.
///
/// # Errors
/// `RateLimited` when the caller's organisation has as many streams as it may have.
pub(super) fn place(
    state: &AppState,
    request: &mut Request,
) -> Result<Option<StreamPlace>, ApiError> {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Ok(None);
    };
    let Some(place) = state.stream_place(caller) else {
        let most = state.config().max_organisation_streams;
        let message =
            format!("the organisation has {most} streams, as many as it may have at once");
        return Err(ApiError::new(Reason::RateLimited, message));
    };
    request.extensions_mut().insert(place.clone());
    Ok(Some(place))
}

/// `response`, whose body holds `place`, and ends as if it were complete when the server shuts
/// down, or the key that asked for it is none any more.
pub(super) fn until(
    shutdown: &CancellationToken,
    response: Response,
    place: Option<StreamPlace>,
) -> Response {
    let is_error = response.extensions().get::<ApiError>().is_some();
    // The connection of an upgraded one belongs to its handler.
    if is_error || !response.status().is_success() {
        return response;
    }
    let ended = place.as_ref().map_or(shutdown, StreamPlace::ended).clone();
    response.map(|body| {
        let chunks = body.into_data_stream().map(move |chunk| {
            let _held = &place;
            chunk
        });
        Body::from_stream(chunks.take_until(ended.cancelled_owned()))
    })
}
