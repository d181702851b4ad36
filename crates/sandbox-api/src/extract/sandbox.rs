//! The sandbox of the path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sandbox_core::SandboxId;
use sandbox_engine::{SandboxHandle, SandboxRecord};

use super::{Caller, Path};
use crate::error::ApiError;
use crate::state::AppState;

/// The sandbox that the path's `{id}` names, which belongs to the caller's organisation.
///
/// # Errors
/// As [`AppState::sandbox_of`].
#[derive(Debug, Clone)]
pub struct SandboxRef {
    /// The sandbox as it was when the request came.
    pub record: Arc<SandboxRecord>,
    state: AppState,
}

impl SandboxRef {
    /// Its id.
    pub fn id(&self) -> &SandboxId {
        self.record.id()
    }

    /// The sandbox to be used.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id` when it is gone by now.
    pub fn handle(&self) -> sandbox_core::Result<Arc<SandboxHandle>> {
        self.state.engine().sandbox(self.id())
    }
}

impl FromRequestParts<AppState> for SandboxRef {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Path(names) = Path::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        let id = names.get("id").map(String::as_str).unwrap_or_default();
        let record = state.sandbox_of(&caller, id).await?;
        Ok(Self {
            record,
            state: state.clone(),
        })
    }
}
