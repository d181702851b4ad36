//! Making a source ready before it is needed.

use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use sandbox_api_types::{Prepare, PrepareDone, PrepareEvent, Progress};
use sandbox_engine::CreateRequest;
use utoipa_axum::routes;

use super::sse;
use crate::Caller;
use crate::error::ApiError;
use crate::extract::{Json, RequestId};
use crate::route::BodyClass;
use crate::route::Deadline::Stream;
use crate::route::Repeat::Refused;
use crate::route::{Table, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    let policy = write(BodyClass::Json, Stream, Refused);
    Table::new(&super::DIALECT).add(routes!(prepare), policy)
}

/// Prepare a source
///
/// Makes a template's source, an image or a snapshot ready on its runtime, so that the next create
/// does not wait for it. Server-Sent Events: `progress` while it goes on, then `done` or `error`.
#[utoipa::path(
    post, path = "/v1/prepare", tag = "templates",
    request_body = Prepare,
    responses(
        (status = 200, description = "`progress {Progress}`, `done`, `error {ErrorBody}`",
            content((Progress = "text/event-stream"))),
        (status = 404, description = "There is no such template, snapshot or runtime"),
    ),
)]
async fn prepare(
    State(state): State<AppState>,
    caller: Caller,
    request_id: RequestId,
    Json(wanted): Json<Prepare>,
) -> Result<Response, ApiError> {
    let source = wanted.source()?;
    let mut request = match (wanted.template, source) {
        (Some(template), _) => CreateRequest::from_template(template),
        (None, Some(source)) => CreateRequest::from_source(source),
        // `source` has refused this.
        (None, None) => CreateRequest::default(),
    };
    request.owner = caller.owner().clone();
    request.runtime = wanted.runtime;
    let progress = state.engine().prepare(&request).await?;
    let shown = |progress| Some(PrepareEvent::Progress(Progress::from(progress)));
    let progress = sse::until_error(progress, request_id.clone(), shown, PrepareEvent::Error);
    Ok(sse::answer(
        then_done(progress).map(|event| (None, event)),
        &request_id,
    ))
}

/// `progress`, and `done` when it ended without an error.
fn then_done(
    progress: impl futures_util::Stream<Item = PrepareEvent> + Send,
) -> impl futures_util::Stream<Item = PrepareEvent> + Send {
    stream::unfold(Some(Box::pin(progress)), |state| async move {
        let mut progress = state?;
        match progress.next().await {
            None => Some((PrepareEvent::Done(PrepareDone {}), None)),
            Some(PrepareEvent::Error(error)) => Some((PrepareEvent::Error(error), None)),
            Some(event) => Some((event, Some(progress))),
        }
    })
}
