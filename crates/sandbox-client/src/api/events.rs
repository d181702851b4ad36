//! What happens to sandboxes.

use sandbox_api_types::{EventQuery, EventStreamItem};
use sandbox_core::Result;

use super::SandboxCalls;
use crate::EventStream;
use crate::call::Call;
use crate::client::Client;
use crate::route::Route;

const OPERATION: &str = "client.events";

impl Client {
    /// What happens to the caller's sandboxes. What happens after this returned is in the stream.
    ///
    /// # Errors
    /// What a call may fail with.
    pub async fn events(&self, query: &EventQuery) -> Result<EventStream<EventStreamItem>> {
        let route = Route::v1(["events"]).query(query)?;
        self.events_of(OPERATION, Call::get(OPERATION, route)).await
    }
}

impl SandboxCalls {
    /// What happens to this one, from the number `from` on; without one, from now on.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn events(&self, from: Option<u64>) -> Result<EventStream<EventStreamItem>> {
        let query = EventQuery {
            from,
            ..EventQuery::default()
        };
        let route = self.route(["events"]).query(&query)?;
        let call = Call::get(OPERATION, route);
        self.client.events_of(OPERATION, call).await
    }
}
