//! Writes errors in the dialect's shape.

use axum::extract::{Request, State};
use axum::http::header::ALLOW;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::dialect::Dialect;
use crate::error::ApiError;

/// Replaces a response that stands for an [`ApiError`] by the error as `dialect` writes it.
pub(crate) async fn errors(
    State(dialect): State<&'static Dialect>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    let mut rendered = (dialect.render)(&error, "").into_response();
    if let Some(allow) = response.headers_mut().remove(ALLOW) {
        rendered.headers_mut().insert(ALLOW, allow);
    }
    rendered
}
