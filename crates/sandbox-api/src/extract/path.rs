//! Parameters of the path.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind as PathError;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use sandbox_core::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Parameters of the path, by position as a tuple or by name as a struct.
///
/// # Errors
/// 400 naming the parameter.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(rejection)),
        }
    }
}

fn refused(rejection: PathRejection) -> ApiError {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        return defect(rejection);
    };
    match failed.kind() {
        PathError::ParseErrorAtKey { key, value, .. } => {
            ApiError::invalid(key, format!("{value:?} is not acceptable here"))
        }
        PathError::DeserializeError { key, message, .. } => ApiError::invalid(key, message),
        PathError::InvalidUtf8InPathParam { key } => ApiError::invalid(key, "is not UTF-8"),
        PathError::ParseError { .. }
        | PathError::ParseErrorAtIndex { .. }
        | PathError::Message(_) => ApiError::invalid("path", failed.body_text()),
        _ => defect(failed),
    }
}

fn defect(rejection: impl std::error::Error + Send + Sync + 'static) -> ApiError {
    let message = "the path and its handler do not fit each other";
    Error::new(ErrorKind::Internal, "api.path", message)
        .with_source(rejection)
        .into()
}
