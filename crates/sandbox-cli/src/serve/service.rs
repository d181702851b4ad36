//! What is served: an engine, its owners, and the API over both.

use std::sync::Arc;

use sandbox_api::ApiConfig;
use sandbox_core::{Error, Result};
use sandbox_engine::idempotency::{Idempotency, IdempotencyLimits, SqliteIdempotency};
use sandbox_engine::owners::{ApiKey, Owners, QuotaAdmission, SqliteOwners};
use sandbox_engine::store::{SqliteStore, Store};
use sandbox_engine::templates::Templates;
use sandbox_engine::{Clock, Engine, SystemClock};
use tokio_util::sync::CancellationToken;

use super::first_key;
use super::runtimes::Named;
use crate::config::Config;

/// A server but for its socket.
#[derive(Debug)]
pub(crate) struct Service {
    engine: Engine,
    owners: Arc<Owners>,
    api: ApiConfig,
    first_key: Option<ApiKey>,
}

impl Service {
    /// Starts the engine over `store` and `runtimes`, and makes the organisation and the key of a
    /// first start. Streams end when `shutdown` is cancelled.
    ///
    /// # Errors
    /// `InvalidSpec` for a preset key that is too weak; what the engine or the store fails with.
    pub(crate) async fn start(
        config: &Config,
        templates: Templates,
        store: SqliteStore,
        runtimes: Vec<Named>,
        shutdown: CancellationToken,
    ) -> Result<Self> {
        let owners = Arc::new(Owners::new(Arc::new(SqliteOwners::new(&store))));
        let answers = Arc::new(SqliteIdempotency::new(&store));
        let store: Arc<dyn Store> = Arc::new(store);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Before anything is begun: a bad key ends the start.
        let quotas = config.quotas.quotas();
        let first_key = first_key::ensure(&owners, quotas, preset()?, clock.now()).await?;
        let admission = QuotaAdmission::new(Arc::clone(&owners), clock);
        let mut builder = Engine::builder()
            .shared_store(store)
            .templates(templates)
            .admission(admission)
            .config(config.engine.config());
        for (name, runtime) in runtimes {
            builder = builder.runtime(name.as_str(), runtime);
        }
        let mut api = config.api.config()?;
        api.idempotency = Idempotency::new(answers, IdempotencyLimits::default());
        api.shutdown = shutdown;
        Ok(Self {
            engine: builder.build().await?,
            owners,
            api,
            first_key,
        })
    }

    /// The key of the first start, where this was it.
    pub(crate) fn first_key(&self) -> Option<&ApiKey> {
        self.first_key.as_ref()
    }

    /// The API.
    pub(crate) fn router(&self) -> axum::Router {
        let owners = Arc::clone(&self.owners);
        sandbox_api::router(self.engine.clone(), owners, self.api.clone())
    }

    /// Stops the engine, and leaves the sandboxes as they are.
    pub(crate) async fn shutdown(self) {
        self.engine.shutdown().await;
    }
}

/// The key that the environment presets.
fn preset() -> Result<Option<String>> {
    const NAME: &str = "SANDBOX_API_KEY";
    match std::env::var(NAME) {
        Ok(key) if !key.is_empty() => Ok(Some(key)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::invalid("serve.key", NAME, "is not text"))
        }
    }
}
