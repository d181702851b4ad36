//! The sandbox of the path, for what needs one that is not gone.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sandbox_core::lifecycle::State;
use sandbox_core::{Error, ErrorKind};

use crate::error::ApiError;
use crate::extract::SandboxRef;
use crate::state::AppState;

/// The caller's sandbox of the path, which was not destroyed when the request came. One that was,
/// and is still shown, is answered 409: it is known, and not in a state to be used.
///
/// # Errors
/// As [`SandboxRef`]; `Conflict` when it was destroyed.
#[derive(Debug, Clone)]
pub(super) struct Live(pub(super) SandboxRef);

impl FromRequestParts<AppState> for Live {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let sandbox = SandboxRef::from_request_parts(parts, state).await?;
        if sandbox.record.state() == State::Destroyed {
            let message = "the sandbox is destroyed";
            return Err(Error::new(ErrorKind::Conflict, "api.sandbox", message).into());
        }
        Ok(Self(sandbox))
    }
}
