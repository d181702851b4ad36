//! A runtime and what the engine knows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sandbox_core::egress::Environment;
use sandbox_core::{
    BoxStream, Capabilities, Error, ErrorKind, Health, Progress, Recovered, Result, Runtime,
    RuntimeEvent, RuntimeName, Sandbox, SandboxSpec, SnapshotId, Source,
};
use tokio::sync::Notify;

/// One of the engine's runtimes.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: RuntimeName,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// What surrounds its sandboxes, as far as the engine was told.
    pub(crate) environment: Environment,
    available: AtomicBool,
    /// Wakes the watcher: something may be left behind that only a look at everything finds.
    pub(crate) look_again: Notify,
}

impl Slot {
    pub(crate) fn new(
        name: RuntimeName,
        runtime: Arc<dyn Runtime>,
        environment: Environment,
    ) -> Self {
        Self {
            name,
            runtime,
            environment,
            available: AtomicBool::new(false),
            look_again: Notify::new(),
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        self.available.load(Ordering::SeqCst)
    }

    pub(crate) fn set_available(&self, available: bool) {
        self.available.store(available, Ordering::SeqCst);
    }
}

/// Stands for a runtime that stored sandboxes name and the engine was not given.
#[derive(Debug)]
pub(crate) struct AbsentRuntime {
    name: RuntimeName,
    capabilities: Capabilities,
}

impl AbsentRuntime {
    pub(crate) fn new(name: RuntimeName) -> Self {
        Self {
            name,
            capabilities: Capabilities::default(),
        }
    }

    fn absent<T>(&self) -> Result<T> {
        let message = format!("the runtime {} is not configured", self.name);
        Err(Error::new(ErrorKind::Unavailable, "engine.runtime", message).with_field("runtime"))
    }
}

#[async_trait]
impl Runtime for AbsentRuntime {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, _spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.absent()
    }

    async fn prepare(&self, _source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.absent()
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.absent()
    }

    async fn remove_snapshot(&self, _snapshot: &SnapshotId) -> Result<()> {
        self.absent()
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        Box::pin(futures_util::stream::pending())
    }

    async fn health(&self) -> Result<Health> {
        self.absent()
    }
}
