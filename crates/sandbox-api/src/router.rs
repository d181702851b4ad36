//! All of it.

use std::sync::Arc;

use axum::Router;
use sandbox_engine::Engine;
use sandbox_engine::owners::Owners;

use crate::cloud;
use crate::config::ApiConfig;
use crate::state::AppState;

/// The whole API over `engine`, for callers that `owners` knows: nest it, layer it, or serve it.
pub fn router(engine: Engine, owners: Arc<Owners>, config: ApiConfig) -> Router {
    cloud::router(&AppState::new(engine, owners, config))
}
