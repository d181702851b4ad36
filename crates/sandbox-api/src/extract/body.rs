//! Bodies of raw bytes.

use axum::extract::{FromRequest, Request};
use futures_util::StreamExt;
use sandbox_core::ByteStream;

use crate::error::ApiError;
use crate::layers::body::failure;
use crate::route::BodyClass;
use crate::state::AppState;

/// The body as it comes, at most [`max_file_bytes`](crate::ApiConfig::max_file_bytes). One that is
/// larger, that stops coming, or that its sender gives up ends with an error with field `body`.
pub struct FileBody(pub ByteStream);

impl std::fmt::Debug for FileBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileBody(…)")
    }
}

impl FromRequest<AppState> for FileBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let state = state.clone();
        let chunks = request.into_body().into_data_stream();
        let checked =
            chunks.map(move |chunk| chunk.map_err(|e| failure(e, BodyClass::File, state.config())));
        Ok(Self(Box::pin(checked)))
    }
}
