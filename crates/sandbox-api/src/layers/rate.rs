//! How often an organisation may ask, and what it is told of that.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use sandbox_engine::owners::RateDecision;

use crate::error::{ApiError, Reason};
use crate::extract::Caller;
use crate::state::AppState;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// In seconds since the epoch.
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts a request; `None` when the organisation has no limit.
pub(super) fn count(state: &AppState, caller: &Caller) -> Option<RateDecision> {
    state.owners().check_rate(caller.principal(), state.now())
}

/// Refuses a request that is over the limit.
pub(super) fn check(decision: Option<&RateDecision>) -> Result<(), ApiError> {
    let Some(over) = decision.filter(|decision| !decision.allowed) else {
        return Ok(());
    };
    let message = format!("more than {} requests a minute", over.limit);
    Err(ApiError::new(Reason::RateLimited, message).with_retry_after(over.retry_after))
}

/// Tells how many requests are left.
pub(super) fn tell(decision: &RateDecision, response: &mut Response) {
    let reset = decision.reset.as_millis().div_ceil(1000);
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(decision.limit));
    headers.insert(REMAINING, HeaderValue::from(decision.remaining));
    headers.insert(RESET, HeaderValue::from(reset));
}
