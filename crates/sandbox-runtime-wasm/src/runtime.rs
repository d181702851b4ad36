//! The runtime: sandboxes inside this process.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{
    BoxStream, Capabilities, Guarded, Health, Progress, Recovered, Result, Runtime, RuntimeEvent,
    Sandbox, SandboxId, SandboxSpec, SnapshotId, Source,
};

use crate::builder::WasmBuilder;
use crate::random;
use crate::sandbox::Handle;
use crate::shared::Shared;

/// Sandboxes inside this process: programs are WebAssembly, files are in memory, no daemon and no
/// privileges are needed.
///
/// A clone is the same runtime. What [`Capabilities`] leave out is refused before anything
/// happens. Sandboxes live in memory: when the last clone is dropped they end, and no other process
/// finds them. Host paths are out of reach from inside.
///
/// ```no_run
/// # async fn example() -> sandbox_core::Result<()> {
/// use sandbox_core::{Command, Runtime, SandboxExt, SandboxId, SandboxSpec, Source};
/// use sandbox_runtime_wasm::WasmRuntime;
///
/// let runtime = WasmRuntime::builder().build()?;
/// let spec = SandboxSpec::builder(SandboxId::from_random([7; 16]), Source::Image("base".into()));
/// let sandbox = runtime.create(&spec.build()?).await?;
/// let output = sandbox.exec(Command::shell("echo hi | wc -c")).await?;
/// assert_eq!(output.stdout_lossy(), "3\n");
/// let forks = runtime.fork(sandbox.id(), 100)?;
/// assert_eq!(forks.len(), 100);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct WasmRuntime {
    shared: Arc<Shared>,
    guarded: Guarded,
}

impl WasmRuntime {
    /// What is to be said about a runtime before it is made; everything has a default.
    pub fn builder() -> WasmBuilder {
        WasmBuilder::default()
    }

    pub(crate) fn over(shared: Arc<Shared>) -> Self {
        let bare = Bare(Arc::clone(&shared));
        Self {
            shared,
            guarded: Guarded::new(Arc::new(bare)),
        }
    }

    /// Makes `count` sandboxes with the files that the sandbox `of` has now, its limits, variables
    /// and current egress policy, under new ids; processes are not taken along. It takes
    /// microseconds each, whatever the size: files are shared until one side changes them. Either
    /// all are made, or none.
    ///
    /// # Errors
    /// `NotFound` with field `id` when there is no sandbox `of`, `Conflict` when it is paused,
    /// `LimitExceeded` with field `sandboxes` when there may be no more.
    pub fn fork(&self, of: &SandboxId, count: usize) -> Result<Vec<Arc<dyn Sandbox>>> {
        // Asked before as many ids are made as somebody wants.
        let of = self.shared.sandboxes.get(of)?;
        self.shared.sandboxes.check_room(count)?;
        let new = || random::bytes().map(SandboxId::from_random);
        let ids: Vec<_> = std::iter::repeat_with(new)
            .take(count)
            .collect::<Result<_>>()?;
        Ok(self.hand_out(self.shared.fork(&of, ids)?))
    }

    /// As [`fork`](Self::fork), under ids of the caller's own.
    ///
    /// # Errors
    /// As there, and `Conflict` with field `id` for an id that is taken.
    pub fn fork_as(
        &self,
        of: &SandboxId,
        ids: impl IntoIterator<Item = SandboxId>,
    ) -> Result<Vec<Arc<dyn Sandbox>>> {
        let of = self.shared.sandboxes.get(of)?;
        Ok(self.hand_out(self.shared.fork(&of, ids)?))
    }

    /// The sandbox `id`, as [`create`](Runtime::create) answered it.
    ///
    /// # Errors
    /// `NotFound` with field `id`.
    pub fn get(&self, id: &SandboxId) -> Result<Arc<dyn Sandbox>> {
        let found = self.shared.sandboxes.get(id)?;
        Ok(self.guarded.guard(Arc::new(Handle(found))))
    }

    fn hand_out(&self, made: Vec<Arc<crate::sandbox::WasmSandbox>>) -> Vec<Arc<dyn Sandbox>> {
        let guard = |one| self.guarded.guard(Arc::new(Handle(one)));
        made.into_iter().map(guard).collect()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for WasmRuntime {
    fn capabilities(&self) -> &Capabilities {
        self.guarded.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.guarded.create(spec).await
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.guarded.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.guarded.recover().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.guarded.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.guarded.events()
    }

    async fn health(&self) -> Result<Health> {
        self.guarded.health().await
    }
}

/// The runtime without its guard.
#[derive(Debug)]
struct Bare(Arc<Shared>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for Bare {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        Ok(Arc::new(Handle(self.0.create(spec).await?)))
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        match source {
            Source::Image(name) => self.0.catalogue.prepare(name).await,
            Source::Snapshot(id) => {
                self.0.snapshots.get(id)?;
                Ok(Box::pin(futures_util::stream::empty()))
            }
        }
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        let found = self.0.sandboxes.all().into_iter().map(|sandbox| Recovered {
            id: sandbox.spec().id().clone(),
            state: sandbox.recovered(),
            sandbox: Arc::new(Handle(sandbox)),
        });
        Ok(found.collect())
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.0.snapshots.remove(snapshot)
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.0.events.stream()
    }

    async fn health(&self) -> Result<Health> {
        Ok(self.0.health())
    }
}
