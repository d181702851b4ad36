//! JSON bodies.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sandbox_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::named;
use crate::error::{ApiError, Reason};
use crate::layers::body::{answered, failure};
use crate::route::BodyClass;
use crate::state::AppState;

/// A JSON body, and as an answer one with status 200.
///
/// # Errors
/// 415 without `Content-Type: application/json` (or `…+json`), 413 when it is too large, 400 with
/// the field's path when it does not fit `T`. Have `T` refuse fields that it does not know.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let message = "the body must be JSON, with 'Content-Type: application/json'";
            return Err(ApiError::new(Reason::UnsupportedMediaType, message));
        }
        // How large it may be, the body knows itself.
        let body = to_bytes(request.into_body(), usize::MAX)
            .await
            .map_err(|e| answered(failure(e, BodyClass::Json, state.config()), BodyClass::Json))?;
        parse(&body, "body").map(Self)
    }
}

/// Reads a JSON object that is called `name` where no field of it is to blame.
///
/// # Errors
/// `InvalidSpec` with the field's path, or `name`.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8], name: &str) -> Result<T, ApiError> {
    // Of a list, serde would take the values for those of the fields, in order.
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::invalid(name, "must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|e| named::invalid(e.path(), name, &e.inner().to_string()))?;
    deserializer
        .end()
        .map_err(|e| ApiError::invalid(name, e.to_string()))?;
    Ok(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                (StatusCode::OK, [(CONTENT_TYPE, json)], body).into_response()
            }
            Err(e) => {
                let message = "the answer cannot be written as JSON";
                let error = Error::new(ErrorKind::Internal, "api.json", message).with_source(e);
                ApiError::from(error).into_response()
            }
        }
    }
}
