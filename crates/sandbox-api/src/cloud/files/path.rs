//! The path of a file in the path of a request.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sandbox_core::SandboxPath;

use crate::error::ApiError;
use crate::extract::Path;

/// The path that the request's `{path}` spells, from the root of the sandbox; the root without one.
///
/// # Errors
/// 400 naming `path` as [`SandboxPath`], and for one that is not UTF-8.
#[derive(Debug, Clone)]
pub(super) struct FilePath(pub(super) SandboxPath);

impl FilePath {
    /// The path of something that can be read, written or removed.
    ///
    /// # Errors
    /// 400 naming `path` for the root.
    pub(super) fn below_root(self) -> Result<SandboxPath, ApiError> {
        match self.0.is_root() {
            true => Err(ApiError::invalid("path", "must name a file, not the root")),
            false => Ok(self.0),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        let spelled = names.get("path").map(String::as_str).unwrap_or_default();
        Ok(Self(SandboxPath::root().join(spelled)?))
    }
}
