//! Requests that ask for a WebSocket.

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::request::Parts;

use crate::error::ApiError;

/// The largest message that is taken from a client, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// A request that can become a WebSocket whose messages have at most 1 MiB.
///
/// # Errors
/// 400 naming the header `upgrade` for any other request.
#[derive(Debug)]
pub(super) struct Upgrade(pub(super) WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(|e| refused(&e))?;
        Ok(Self(
            upgrade
                .max_message_size(MAX_MESSAGE)
                .max_frame_size(MAX_MESSAGE),
        ))
    }
}

fn refused(rejection: &WebSocketUpgradeRejection) -> ApiError {
    let message = format!("must be a request for a WebSocket: {rejection}");
    ApiError::invalid("upgrade", message)
}
