//! The engine as its users see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sandbox_core::egress::{Destination, EgressPolicy, EgressRules, Explanation, ScopedPolicy};
use sandbox_core::lifecycle::{Lifecycle, Request};
use sandbox_core::{
    Error, ErrorKind, Result, Runtime, RuntimeName, SandboxId, SandboxSpec, Stats, Template,
    TemplateName, Timestamp,
};
use tokio::sync::{mpsc, oneshot};

use crate::access::Access;
use crate::admission::Admission;
use crate::allowance;
use crate::builder::{EngineBuilder, spawn};
use crate::core::Core;
use crate::driver::{Beginning, Goal, Message};
use crate::entry::{Entry, NewEntry};
use crate::events::{EventFilter, NewEvent, Subscription};
use crate::handle::SandboxHandle;
use crate::process::ProcessTable;
use crate::record::SandboxRecord;
use crate::registry::{not_found, taken};
use crate::request::CreateRequest;
use crate::resolve::Resolved;
use crate::slot::Slot;
use crate::snapshots::check_source;
use crate::store::{Store, StoredSandbox, StoredStart};
use crate::templates::Templates;

/// Drives sandboxes over one or several runtimes. Cheap to clone; all clones are the same engine.
///
/// When the last clone is dropped without [`shutdown`](Self::shutdown), its tasks end where they
/// stand, as if the process had died: the next engine over the same store sets things right.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
    _alive: Arc<Alive>,
}

/// Ends the tasks when the last engine is dropped. They hold the core, and so cannot end it
/// themselves.
#[derive(Debug)]
struct Alive(Arc<Core>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.stop.cancel();
        self.0.kill.cancel();
    }
}

impl Engine {
    /// Starts to build an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            _alive: Arc::new(Alive(Arc::clone(&core))),
            core,
        }
    }

    /// Makes a sandbox and waits until it runs. When the future is dropped, the sandbox is made all
    /// the same, and its time to live ends it.
    ///
    /// # Errors
    /// `InvalidSpec`, `Unsupported` or `LimitExceeded` naming a field, before anything was begun;
    /// `NotFound` with field `template` or `runtime`, or `source.snapshot` for one that the owner
    /// does not have on this runtime; `Conflict` with field `id` for one that was
    /// used before; what the runtime failed with. In the last case the failed sandbox can still be
    /// asked for, and what it left is removed.
    pub async fn create(&self, request: CreateRequest) -> Result<Arc<SandboxRecord>> {
        self.begin(request, Some(Goal::Running)).await
    }

    /// As [`create`](Self::create), but answers as soon as the sandbox is written down, while it is
    /// being made.
    ///
    /// # Errors
    /// As there, up to the runtime's.
    pub async fn create_detached(&self, request: CreateRequest) -> Result<Arc<SandboxRecord>> {
        self.begin(request, None).await
    }

    pub(crate) async fn begin(
        &self,
        request: CreateRequest,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        self.core.check_open()?;
        let resolved = Resolved::new(&self.core, &request)?;
        check_source(&self.core, &request, &resolved.slot.name).await?;
        let id = resolved.spec.id().clone();
        if request.id.is_some() {
            self.check_unused(&id).await?;
        }
        allowance::check(&self.core, &request.owner).await?;
        self.core
            .admission
            .admit(&request.owner, &resolved.spec)
            .await?;
        // No waiting from here to the spawn: what was admitted gets a driver, which gives it back.
        let (reply, answer) = oneshot::channel();
        self.spawn_new(request, resolved, goal, reply)?;
        answer
            .await
            .unwrap_or_else(|_| match self.core.check_open() {
                Err(error) => Err(error),
                Ok(()) => Err(not_found(&id)),
            })
    }

    async fn check_unused(&self, id: &SandboxId) -> Result<()> {
        let used = self.core.registry.get(id).is_some() || self.core.quarantine.has(id);
        match used || self.core.store.destroyed(id).await?.is_some() {
            true => Err(taken(id)),
            false => Ok(()),
        }
    }

    fn spawn_new(
        &self,
        request: CreateRequest,
        resolved: Resolved,
        goal: Option<Goal>,
        reply: oneshot::Sender<Result<Arc<SandboxRecord>>>,
    ) -> Result<()> {
        let Resolved { spec, slot, start } = resolved;
        let policy = spec.lifecycle().clone();
        let (lifecycle, actions) = Lifecycle::new(policy, self.core.clock.now());
        let stored = StoredSandbox {
            seq: self.core.next_seq.fetch_add(1, Ordering::Relaxed),
            owner: request.owner,
            runtime: slot.name.clone(),
            egress: spec.egress().clone(),
            egress_applied: true,
            spec: Arc::new(spec),
            lifecycle,
            accounted_ms: 0,
            start: start.map(StoredStart::new),
        };
        let (inbox, messages) = mpsc::unbounded_channel();
        let entry = Arc::new(Entry::new(NewEntry {
            record: SandboxRecord::from_stored(&stored, slot.is_available()),
            slot,
            processes: ProcessTable::default(),
            inbox,
        }));
        if let Err(error) = self.core.registry.insert(&entry) {
            self.core.admission.release(&entry.owner, entry.id());
            return Err(error);
        }
        let beginning = Beginning::New {
            actions,
            goal,
            reply,
        };
        spawn(&self.core, entry, messages, stored, beginning);
        Ok(())
    }

    /// A sandbox as it is now. One that was destroyed is answered while it is kept.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`.
    pub async fn get(&self, id: &SandboxId) -> Result<Arc<SandboxRecord>> {
        match self.core.registry.get(id) {
            Some(entry) => Ok(entry.record()),
            None => match self.destroyed(id).await? {
                Some(record) => Ok(record),
                None => Err(not_found(id)),
            },
        }
    }

    async fn destroyed(&self, id: &SandboxId) -> Result<Option<Arc<SandboxRecord>>> {
        let stored = self.core.store.destroyed(id).await?;
        let oldest = self.core.retention().destroyed_before;
        let kept = stored.filter(|stored| stored.destroyed_at() >= Some(oldest));
        Ok(kept.map(|stored| Arc::new(SandboxRecord::from_stored(&stored, true))))
    }

    /// A sandbox to be used: see [`SandboxHandle`].
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`, also when it was destroyed.
    pub fn sandbox(&self, id: &SandboxId) -> Result<Arc<SandboxHandle>> {
        Ok(Arc::new(SandboxHandle::new(self.access(id)?)))
    }

    pub(crate) fn access(&self, id: &SandboxId) -> Result<Access> {
        self.core.check_open()?;
        let entry = self.core.registry.get(id).ok_or_else(|| not_found(id))?;
        Ok(Access::new(Arc::clone(&self.core), entry))
    }

    /// Pauses a sandbox and waits until it is paused. Pausing a paused one is no error.
    ///
    /// # Errors
    /// `Unsupported` where the runtime cannot; `Conflict` when it failed, is being destroyed, or
    /// somebody resumes it meanwhile; what the runtime failed with, and it runs on.
    pub async fn pause(&self, id: &SandboxId) -> Result<Arc<SandboxRecord>> {
        self.access(id)?.pause().await
    }

    /// Resumes a sandbox and waits until it runs. Resuming a running one is no error.
    ///
    /// # Errors
    /// `Conflict` when it failed, is being destroyed, or somebody pauses it meanwhile; what the
    /// runtime failed with, and it stays paused.
    pub async fn resume(&self, id: &SandboxId) -> Result<Arc<SandboxRecord>> {
        let access = self.access(id)?;
        access.request(Request::Resume, Some(Goal::Running)).await
    }

    /// Destroys a sandbox and waits until it is gone. Idempotent, while it is kept.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`; what the runtime failed with. In that case it is tried
    /// again in the background, without end, and the sandbox stays `Destroying` until then.
    pub async fn destroy(&self, id: &SandboxId) -> Result<Arc<SandboxRecord>> {
        self.core.check_open()?;
        let Some(entry) = self.core.registry.get(id) else {
            return self.destroyed(id).await?.ok_or_else(|| not_found(id));
        };
        let access = Access::new(Arc::clone(&self.core), entry);
        match access
            .request(Request::Destroy, Some(Goal::Destroyed))
            .await
        {
            // It was gone before the request got there.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.destroyed(id).await?.ok_or(error)
            }
            other => other,
        }
    }

    /// Lets an ephemeral sandbox live at least `time_to_live` from now; see
    /// [`Request::KeepAlive`].
    ///
    /// # Errors
    /// `Conflict` when it has no time to live, is paused, failed or is being destroyed.
    pub async fn keep_alive(
        &self,
        id: &SandboxId,
        time_to_live: Duration,
    ) -> Result<Arc<SandboxRecord>> {
        let request = Request::KeepAlive { time_to_live };
        self.access(id)?.request(request, None).await
    }

    /// Lets an ephemeral sandbox live exactly `time_to_live` from now; see
    /// [`Request::SetTimeout`].
    ///
    /// # Errors
    /// `Conflict` when it has no time to live, failed or is being destroyed.
    pub async fn set_timeout(
        &self,
        id: &SandboxId,
        time_to_live: Duration,
    ) -> Result<Arc<SandboxRecord>> {
        let request = Request::SetTimeout { time_to_live };
        self.access(id)?.request(request, None).await
    }

    /// Replaces what a sandbox may connect to; in force when this returns, for what is connected
    /// already too.
    ///
    /// # Errors
    /// `Unsupported` naming the field where the runtime cannot enforce it; `Conflict` when the
    /// sandbox failed or is being destroyed; what the runtime failed with, and the old rules, or
    /// stricter ones, are in force.
    pub async fn set_egress(
        &self,
        id: &SandboxId,
        rules: EgressRules,
    ) -> Result<Arc<SandboxRecord>> {
        let access = self.access(id)?;
        access
            .ask(|reply| Message::SetEgress { rules, reply })
            .await
    }

    /// What a sandbox's rules and its [environment](EngineBuilder::environment) say about
    /// `destination`, and why. Which addresses allowed names resolved to only its runtime knows.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`.
    pub async fn explain_egress(
        &self,
        id: &SandboxId,
        destination: &Destination,
    ) -> Result<Explanation> {
        let record = self.get(id).await?;
        let slot = self.core.slots.get(&record.runtime);
        // The runtime of one that was destroyed may not be configured any more.
        let environment = slot.map(|slot| slot.environment.clone());
        let rules = EgressRules::clone(&record.egress);
        let policy = ScopedPolicy::new(rules, environment.unwrap_or_default());
        Ok(policy.explain(destination))
    }

    /// What a sandbox uses now. This is no use of it: it wakes nothing.
    ///
    /// # Errors
    /// As [`Sandbox::stats`](sandbox_core::Sandbox::stats); `Unavailable` before it is made.
    pub async fn stats(&self, id: &SandboxId) -> Result<Stats> {
        use sandbox_core::Sandbox;
        self.sandbox(id)?.stats().await
    }

    /// What happens: first what is kept and wanted, then what comes.
    pub fn events(&self, filter: EventFilter) -> Subscription {
        let store = Arc::clone(&self.core.store);
        Subscription::new(store, self.core.stop.clone(), filter)
    }

    /// Writes an event that came about outside the engine: a quota that was reached, for example.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn record_event(&self, event: NewEvent) -> Result<()> {
        self.core.check_open()?;
        self.core.store.append(vec![event]).await
    }

    /// The templates.
    pub fn templates(&self) -> &Templates {
        &self.core.templates
    }

    /// A template by its name or an alias.
    ///
    /// # Errors
    /// `NotFound` with field `template`.
    pub fn template(&self, name: &TemplateName) -> Result<&Template> {
        self.core.templates.get(name.as_str())
    }

    /// The runtimes by name, each behind the guard that refuses what it cannot do.
    pub fn runtimes(&self) -> impl Iterator<Item = (&RuntimeName, &Arc<dyn Runtime>)> {
        self.core
            .slots
            .iter()
            .map(|(name, slot)| (name, &slot.runtime))
    }

    /// Whether a runtime answers, as far as the engine knows.
    ///
    /// # Errors
    /// `NotFound` with field `runtime`.
    pub fn is_available(&self, runtime: &RuntimeName) -> Result<bool> {
        Ok(self.slot(runtime)?.is_available())
    }

    /// The runtime of requests and templates that name none.
    pub fn default_runtime(&self) -> Option<&RuntimeName> {
        self.core.default_runtime.as_ref()
    }

    pub(crate) fn slot(&self, runtime: &RuntimeName) -> Result<&Arc<Slot>> {
        self.core.slots.get(runtime).ok_or_else(|| {
            let message = format!("there is no runtime {runtime}");
            Error::new(ErrorKind::NotFound, "engine.runtime", message).with_field("runtime")
        })
    }

    /// The time, as the engine's clock has it.
    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.core.store
    }

    /// Stops the engine and leaves the sandboxes as they are. What is on its way may end within
    /// [`shutdown_grace`](crate::EngineConfig::shutdown_grace); then nothing of the engine is left
    /// running, and the store is closed. Every later call fails with `Unavailable`.
    pub async fn shutdown(&self) {
        let core = &self.core;
        core.stop.cancel();
        core.tasks.close();
        let grace = core.clock.now().plus(core.config.shutdown_grace);
        tokio::select! {
            () = core.tasks.wait() => {}
            () = core.clock.sleep_until(grace) => {
                tracing::warn!("not everything ended in time; the next start sets it right");
                core.kill.cancel();
                core.tasks.wait().await;
            }
        }
        core.store.close().await;
    }
}

impl Engine {
    /// What an engine resolves a request to, for those who admit or price it beforehand. Whose the
    /// snapshot is that it may name, only [`create`](Self::create) asks.
    ///
    /// # Errors
    /// Otherwise as there, up to admission.
    pub fn resolve(&self, request: &CreateRequest) -> Result<SandboxSpec> {
        Ok(Resolved::new(&self.core, request)?.spec)
    }

    /// Who is asked before every sandbox.
    pub fn admission(&self) -> &Arc<dyn Admission> {
        &self.core.admission
    }
}
