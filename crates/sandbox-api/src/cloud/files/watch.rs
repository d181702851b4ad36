//! Changes of files, as they happen.

use axum::response::Response;
use futures_util::{StreamExt, stream};
use sandbox_api_types::{FileEvent, WatchEvent, WatchQuery, WatchReady};
use sandbox_core::{Sandbox, WatchOptions};

use crate::cloud::live::Live;
use crate::cloud::sse;
use crate::error::ApiError;
use crate::extract::{Query, RequestId};

/// Watch a directory
///
/// Server-Sent Events: first `ready`, and from then on a `change` for everything that happens in the
/// directory. Whoever reads more slowly than things change is told with a change `overflow`, and
/// has to look. While it is read the sandbox does not count as idle.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/watch", tag = "files",
    params(("id" = String, Path, description = "The sandbox's id"), WatchQuery),
    responses(
        (status = 200, description = "`ready {WatchReady}`, `change {FileEvent}`, `error {ErrorBody}`",
            content((FileEvent = "text/event-stream"))),
        (status = 404, description = "There is no such directory"),
        (status = 409, description = "The sandbox does not run, or the path is no directory"),
    ),
)]
pub(super) async fn watch_files(
    Live(sandbox): Live,
    Query(WatchQuery { path, recursive }): Query<WatchQuery>,
    request_id: RequestId,
) -> Result<Response, ApiError> {
    let options = WatchOptions { recursive };
    let changes = sandbox.handle()?.watch(&path, options).await?;
    let ready = WatchEvent::Ready(WatchReady { path });
    let shown = |change| Some(WatchEvent::Change(FileEvent::from(change)));
    let changes = sse::until_error(changes, request_id.clone(), shown, WatchEvent::Error);
    let events = stream::iter([ready]).chain(changes);
    Ok(sse::answer(events.map(|event| (None, event)), &request_id))
}
