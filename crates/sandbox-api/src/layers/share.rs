//! How much of what all share one organisation takes at once.
//!
//! The server takes on only so many requests, and keeps an answer in memory until its client has
//! taken it. Without a bound on each, one organisation that asks slowly, or takes its answers slowly,
//! has all of that to itself.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};

use crate::error::{ApiError, Reason};
use crate::extract::Caller;
use crate::state::{AppState, RequestPlace};

/// When somebody is to try again who has too many.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A place for one more request of the caller's organisation.
///
/// # Errors
/// `RateLimited` when it has as many as it may have.
pub(super) fn place(state: &AppState, caller: &Caller) -> Result<RequestPlace, ApiError> {
    let place = state.request_place(caller.organisation());
    place.ok_or_else(|| {
        let most = state.config().max_organisation_requests;
        let message =
            format!("the organisation has {most} requests, as many as it may have at once");
        ApiError::new(Reason::RateLimited, message).with_retry_after(TRY_AGAIN)
    })
}

/// `response`, whose body holds `place` until it is sent or given up.
pub(super) fn held(response: Response, place: RequestPlace) -> Response {
    response.map(|body| match http_body::Body::is_end_stream(&body) {
        true => body,
        false => Body::new(Held {
            body,
            _place: place,
        }),
    })
}

/// A body of the length that it had.
#[derive(Debug)]
struct Held {
    body: Body,
    _place: RequestPlace,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
