//! The runtime: what is decided once per daemon, and the trait.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{
    BoxStream, Capabilities, Error, Guarded, Health, Progress, Recovered, Result, Runtime,
    RuntimeEvent, Sandbox, SandboxSpec, SnapshotId, Source,
};

use crate::config::DockerConfig;
use crate::daemon;
use crate::error::docker;
use crate::events;
use crate::images;
use crate::outdated;
use crate::placement;
use crate::recover;
use crate::sandbox::DockerSandbox;
use crate::shared::Shared;
use crate::snapshot;
use crate::{capabilities, create, purge};

/// Sandboxes on a Docker daemon. Dropping it leaves them as they are.
#[derive(Debug)]
pub struct DockerRuntime {
    shared: Arc<Shared>,
}

impl DockerRuntime {
    /// Connects to a daemon, finds out what works there, places the agent, and hands the runtime
    /// out guarded: what its capabilities leave out is refused before anything happens.
    ///
    /// # Errors
    /// `Unavailable` when no daemon answers, with what to do about it; `InvalidSpec` naming a bad
    /// field of `config`; `Unsupported` for a daemon that is too old, does not run Linux
    /// containers, or cannot run the agent where it is required.
    pub async fn connect(config: DockerConfig) -> Result<Arc<dyn Runtime>> {
        let runtime = Arc::new(Self::open(config).await?);
        Ok(Arc::new(Guarded::new(runtime)))
    }

    /// As [`connect`](Self::connect), without the guard: callers check specs against
    /// [`capabilities`](Runtime::capabilities) themselves.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn open(config: DockerConfig) -> Result<Self> {
        config.validate()?;
        let daemon = daemon::connect(&config).await?;
        check_class(&config, &daemon.facts.runtimes)?;
        let placed = placement::place(&daemon, &config).await?;
        let capabilities = capabilities::of(&daemon, &config, &placed).await?;
        let shared = Shared::new(
            daemon,
            config,
            placed.reach,
            placed.networking,
            capabilities,
            placed.notes,
        );
        let shared = Arc::new(shared);
        events::listen(&shared);
        if let Err(error) = recover::reap(&shared).await {
            tracing::warn!(%error, "pieces of unfinished sandboxes stay behind");
        }
        if let Err(error) = outdated::collect(&shared.daemon, &shared.config).await {
            tracing::warn!(%error, "agents of other versions stay behind");
        }
        Ok(Self { shared })
    }

    /// Where the daemon keeps containers, for a person: its storage driver, and the file system
    /// below that where it says so. Whether a disk limit bites there is
    /// [`LimitCapabilities::disk`](sandbox_core::LimitCapabilities::disk).
    pub fn storage(&self) -> String {
        let facts = &self.shared.daemon.facts;
        match facts.backing.as_str() {
            "" => facts.storage.clone(),
            backing => format!("{} on {backing}", facts.storage),
        }
    }

    /// Removes everything of this runtime's namespace from the daemon: sandboxes, whoever made
    /// them, and snapshots. What namespaces share (the network, the agent, images) stays.
    ///
    /// # Errors
    /// The first that occurred; the rest is removed nevertheless, and calling it again goes on.
    pub async fn purge(&self) -> Result<()> {
        purge::all(&self.shared).await
    }
}

/// Refuses a default runtime class that the daemon does not have, before any sandbox asks for it.
fn check_class(config: &DockerConfig, known: &[String]) -> Result<()> {
    match &config.runtime_class {
        Some(class) if !known.contains(class) => {
            let known = known.join(", ");
            let message = format!("{class:?} is not a runtime of this daemon; known are: {known}");
            Err(Error::invalid("docker.connect", "runtime_class", message))
        }
        Some(_) | None => Ok(()),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for DockerRuntime {
    fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        let pod = create::create(&self.shared, spec).await?;
        Ok(Arc::new(DockerSandbox(pod)))
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        images::prepare(&self.shared.daemon, &self.shared.config, source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        recover::recover(&self.shared).await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        snapshot::remove(&self.shared, snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        events::stream(self.shared.subscribe())
    }

    async fn health(&self) -> Result<Health> {
        let daemon = &self.shared.daemon;
        daemon
            .docker
            .ping()
            .await
            .map_err(docker("docker.health"))?;
        Ok(Health {
            version: daemon.facts.version.clone(),
            notes: self.shared.notes.clone(),
        })
    }
}
