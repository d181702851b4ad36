//! All of it.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, Method};
use sandbox_engine::Engine;
use sandbox_engine::owners::Owners;
use tower_http::cors::CorsLayer;

use crate::config::ApiConfig;
use crate::route::nowhere;
use crate::state::AppState;
use crate::{cloud, docs, probes};

/// The whole API over `engine`, for callers that `owners` knows: nest it, layer it, or
/// [`serve`](crate::serve) it.
pub fn router(engine: Engine, owners: Arc<Owners>, config: ApiConfig) -> Router {
    let state = AppState::new(engine, owners, config);
    let router = Router::new()
        .merge(cloud::table().build(&state))
        .merge(probes::table().build(&state))
        .merge(docs::table().build(&state))
        .merge(nowhere(&state, &cloud::DIALECT));
    match cors(state.config()) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// Lets pages of the configured origins call the API; without any, browsers keep them from it.
fn cors(config: &ApiConfig) -> Option<CorsLayer> {
    let origins = &config.cors_origins;
    let layer = CorsLayer::new()
        .allow_origin(origins.clone())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(
            [AUTHORIZATION, CONTENT_TYPE]
                .into_iter()
                .chain(
                    [
                        "x-api-key",
                        "x-request-id",
                        "idempotency-key",
                        "last-event-id",
                    ]
                    .map(HeaderName::from_static),
                )
                .collect::<Vec<_>>(),
        )
        .expose_headers(
            [
                "x-request-id",
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
                "retry-after",
                "idempotent-replayed",
                "x-file-size",
            ]
            .map(HeaderName::from_static),
        );
    (!origins.is_empty()).then_some(layer)
}
