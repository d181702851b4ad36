//! Bodies of raw bytes.

use axum::extract::{FromRequest, Request};
use futures_util::StreamExt;
use http_body_util::LengthLimitError;
use sandbox_core::{ByteStream, Error, ErrorKind};

use crate::error::{ApiError, Reason};
use crate::state::AppState;

/// The body as it comes, at most [`max_file_bytes`](crate::ApiConfig::max_file_bytes); one that is
/// larger, or that its sender gives up, ends with an error.
pub struct FileBody(pub ByteStream);

impl std::fmt::Debug for FileBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileBody(…)")
    }
}

impl FromRequest<AppState> for FileBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let limit = state.config().max_file_bytes;
        let stream = request.into_body().into_data_stream();
        let mut received: u64 = 0;
        let checked = stream.map(move |chunk| {
            let chunk = chunk.map_err(incomplete)?;
            received = received.saturating_add(chunk.len() as u64);
            match received > limit {
                true => Err(too_large(limit)),
                false => Ok(chunk),
            }
        });
        Ok(Self(Box::pin(checked)))
    }
}

fn too_large(limit: u64) -> Error {
    let message = format!("has more than {limit} bytes, the most that may be sent at once");
    Error::new(ErrorKind::LimitExceeded, "api.body", message).with_field("body")
}

fn incomplete(error: axum::Error) -> Error {
    Error::invalid("api.body", "body", "did not arrive whole").with_source(error)
}

/// What a body that could not be read is answered: `over` when it is too large.
pub(super) fn refused(error: axum::Error, over: impl FnOnce() -> ApiError) -> ApiError {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return over();
        }
        cause = error.source();
    }
    let _ = Reason::RequestTimeout;
    incomplete(error).into()
}
