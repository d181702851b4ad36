//! Requests that ask for a WebSocket.

use axum::extract::FromRequestParts;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::state::{AppState, StreamPlace};

/// The largest message that is taken from a client, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// A request that can become a WebSocket whose messages have at most 1 MiB.
///
/// # Errors
/// 400 naming the header `upgrade` for any other request.
#[derive(Debug)]
pub(super) struct Upgrade {
    upgrade: WebSocketUpgrade,
    place: Option<StreamPlace>,
    ended: CancellationToken,
}

impl Upgrade {
    /// The answer that makes it one, which `serve` then has, with what is cancelled when it is to
    /// end: the server shuts down, or the key that asked for it is none any more.
    pub(super) fn on_upgrade<F>(
        self,
        serve: impl FnOnce(WebSocket, CancellationToken) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (place, ended) = (self.place, self.ended);
        self.upgrade.on_upgrade(move |socket| async move {
            let _place = place;
            serve(socket, ended).await;
        })
    }
}

impl FromRequestParts<AppState> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(|e| refused(&e))?;
        let place = parts.extensions.get::<StreamPlace>().cloned();
        let ended = place.as_ref().map_or(state.shutdown(), StreamPlace::ended);
        Ok(Self {
            ended: ended.clone(),
            upgrade: upgrade
                .max_message_size(MAX_MESSAGE)
                .max_frame_size(MAX_MESSAGE),
            place,
        })
    }
}

fn refused(rejection: &WebSocketUpgradeRejection) -> ApiError {
    let message = format!("must be a request for a WebSocket: {rejection}");
    ApiError::invalid("upgrade", message)
}
