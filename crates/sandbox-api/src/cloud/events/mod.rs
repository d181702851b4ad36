//! What happens to sandboxes, as Server-Sent Events.
//!
//! Every event has a number that grows over restarts of the server, and that is its `id:`. A client
//! that reconnects sends it as `Last-Event-ID` and goes on behind it; that header counts more than
//! `from`, as browsers repeat the address they began with. An organisation reads its own events
//! alone. Reading them is no activity of a sandbox.

mod shown;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::StreamExt;
use sandbox_api_types::{Event, EventQuery, EventStreamItem, SandboxEventQuery};
use sandbox_engine::events::EventFilter;
use utoipa_axum::routes;

use super::sse;
use crate::Caller;
use crate::error::ApiError;
use crate::extract::{Query, RequestId, SandboxRef};
use crate::route::Deadline::Stream;
use crate::route::{Table, read};
use crate::state::AppState;

const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(all_events), read(Stream))
        .add(routes!(sandbox_events), read(Stream))
}

/// Follow events
///
/// Server-Sent Events about all sandboxes of the organisation, or one: first those kept and wanted,
/// then those that happen. `id:` is an event's number; `Last-Event-ID` goes on behind it. Events
/// that are no longer kept are told as a `gap`.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(
        EventQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on behind this number"),
    ),
    responses((status = 200, description = "`event {Event}`, `gap {Gap}`, `error {ErrorBody}`",
        content((Event = "text/event-stream")))),
)]
async fn all_events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
    request_id: RequestId,
) -> Result<Response, ApiError> {
    if let Some(id) = &query.sandbox_id {
        state.sandbox_of(&caller, id.as_str()).await?;
    }
    let filter = EventFilter {
        owner: Some(caller.owner().clone()),
        sandbox: query.sandbox_id,
        from: after_last(&headers)?.or(query.from),
        only_past: !query.follow,
    };
    Ok(follow(&state, filter, &request_id))
}

/// Follow the events of a sandbox
///
/// As `/v1/events`, about one sandbox.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/events", tag = "events",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        SandboxEventQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on behind this number"),
    ),
    responses((status = 200, description = "`event {Event}`, `gap {Gap}`, `error {ErrorBody}`",
        content((Event = "text/event-stream")))),
)]
async fn sandbox_events(
    State(state): State<AppState>,
    sandbox: SandboxRef,
    headers: HeaderMap,
    Query(query): Query<SandboxEventQuery>,
    request_id: RequestId,
) -> Result<Response, ApiError> {
    let filter = EventFilter {
        owner: Some(sandbox.record.owner.clone()),
        sandbox: Some(sandbox.id().clone()),
        from: after_last(&headers)?.or(query.from),
        only_past: false,
    };
    Ok(follow(&state, filter, &request_id))
}

/// The number behind the last event that the client has, where it says which that is.
fn after_last(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    match number {
        Some(number) => Ok(Some(number.saturating_add(1))),
        None => Err(ApiError::invalid(
            LAST_EVENT_ID,
            "must be the number of an event",
        )),
    }
}

fn follow(state: &AppState, filter: EventFilter, request_id: &RequestId) -> Response {
    let items = state.engine().events(filter).into_stream();
    let shown = sse::until_error(
        items,
        request_id.clone(),
        shown::item,
        EventStreamItem::Error,
    );
    let numbered = shown.map(|item| match item {
        EventStreamItem::Event(event) => (Some(event.seq), EventStreamItem::Event(event)),
        // The client goes on behind what it missed, however often it reconnects.
        EventStreamItem::Gap(gap) => (Some(gap.to), EventStreamItem::Gap(gap)),
        EventStreamItem::Error(error) => (None, EventStreamItem::Error(error)),
    });
    sse::answer(numbered, request_id)
}
