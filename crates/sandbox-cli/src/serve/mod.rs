//! `sandbox serve`: the HTTP API on this machine.

mod data_dir;
mod first_key;
mod late;
mod listen;
mod logging;
mod runtimes;
mod service;
mod stop;

use sandbox_core::{Error, Result};
use sandbox_engine::store::SqliteStore;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::args::ServeArgs;
use crate::config::Loaded;
use crate::output::Printer;

pub(crate) use data_dir::DataDir;
use service::Service;

/// What a server says when it has started.
#[derive(Debug, Serialize)]
struct Started {
    /// Where it listens.
    url: String,
    /// The key of the first start, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

impl Started {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("listening on {}", self.url)];
        if let Some(key) = &self.api_key {
            lines.push(format!("API key, shown this once: {key}"));
        }
        lines
    }
}

/// Serves until it is asked to stop, and then leaves the sandboxes as they are.
///
/// # Errors
/// What keeps the server from starting, with the field that is at fault.
pub(crate) async fn serve(args: &ServeArgs, printer: Printer) -> Result<()> {
    let Loaded { config, templates } = Loaded::read(args)?;
    logging::start(&config.log)?;
    let Some(data_dir) = &config.data_dir else {
        let message = "is missing: say where everything is kept, with --data-dir DIR";
        return Err(Error::invalid("serve.start", "data_dir", message));
    };
    let data = DataDir::open(data_dir)?;
    let store = SqliteStore::open(data.database(), config.durability.into()).await?;
    let (listener, address) = listen::listen(&config.listen).await?;
    // Heard from here on, so that a start that is given up leaves nothing half-done.
    let mut stop = stop::Stop::new()?;
    let shutdown = CancellationToken::new();
    let starting = async {
        let runtimes = runtimes::connect(&config, &data).await?;
        Service::start(&config, templates, store, runtimes, shutdown.clone()).await
    };
    let service = tokio::select! {
        started = starting => started?,
        () = stop.asked() => return Ok(()),
    };
    let started = Started {
        url: format!("http://{address}"),
        api_key: service.first_key().map(|key| key.expose().to_owned()),
    };
    printer.document(&started, Started::lines)?;
    let connections = config.connections.config()?;
    let serving = sandbox_api::serve(listener, service.router(), connections, shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        () = stop.asked() => {
            tracing::info!("stopping; sandboxes go on");
            shutdown.cancel();
            tokio::select! {
                () = serving => {}
                () = stop.asked() => tracing::warn!("asked twice: not waiting for answers"),
            }
        }
    }
    service.shutdown().await;
    Ok(())
}
