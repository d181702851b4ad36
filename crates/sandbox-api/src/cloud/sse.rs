//! Streams of Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use sandbox_api_types::{ErrorBody, SseEvent};
use sandbox_core::Error;

use crate::error::ApiError;
use crate::extract::RequestId;

/// How often a stream without news says that it is alive: proxies cut those that say nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The answer that sends `events` as they come, each with its number (`id:`) where it has one. Ends
/// with the stream, when the client leaves, or when the server shuts down.
pub(super) fn answer<E: SseEvent>(
    events: impl Stream<Item = (Option<u64>, E)> + Send + 'static,
    request_id: &RequestId,
) -> Response {
    let request_id = request_id.clone();
    let written = events.map(move |(id, event)| {
        let written = write(id, &event).unwrap_or_else(|e| failed(&e, &request_id));
        Ok::<_, Infallible>(written)
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(written).keep_alive(keep_alive).into_response()
}

/// What is `shown` of `items`, up to the first error, which is told as what `failed` makes of it and
/// ends them.
pub(super) fn until_error<T, E>(
    items: impl Stream<Item = Result<T, Error>> + Send,
    request_id: RequestId,
    shown: impl FnMut(T) -> Option<E> + Send,
    failed: fn(ErrorBody) -> E,
) -> impl Stream<Item = E> + Send {
    let begun = Some((Box::pin(items), shown));
    stream::unfold(begun, move |state| {
        let request_id = request_id.clone();
        async move {
            let (mut items, mut shown) = state?;
            loop {
                match items.next().await? {
                    Err(error) => return Some((failed(error_body(error, &request_id)), None)),
                    Ok(item) => {
                        if let Some(event) = shown(item) {
                            return Some((event, Some((items, shown))));
                        }
                    }
                }
            }
        }
    })
}

/// What a stream is told of an error: no more than the same error as an answer would tell.
pub(super) fn error_body(error: Error, request_id: &RequestId) -> ErrorBody {
    let error = ApiError::from(error);
    super::errors::log(&error, request_id);
    super::errors::detail(&error, request_id).into()
}

fn write<E: SseEvent>(id: Option<u64>, event: &E) -> Result<Event, Error> {
    let (name, data) = event.encode()?;
    let event = Event::default().event(name).data(data);
    Ok(match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    })
}

fn failed(error: &Error, request_id: &RequestId) -> Event {
    tracing::error!(%request_id, error = error.report(), "an event cannot be written");
    let event = Event::default().event("error");
    event.data(r#"{"error":{"code":"internal","message":"an event cannot be written"}}"#)
}
