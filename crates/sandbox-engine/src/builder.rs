//! How an engine comes to be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sandbox_core::egress::Environment;
use sandbox_core::{Error, Guarded, Result, Runtime, RuntimeName, SandboxId, Template};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::OwnerId;
use crate::admission::{Admission, Unlimited};
use crate::allowance;
use crate::clock::{Clock, SystemClock};
use crate::config::EngineConfig;
use crate::core::Core;
use crate::driver::{Beginning, Driver};
use crate::engine::Engine;
use crate::entry::{Entry, NewEntry};
use crate::meter::Meter;
use crate::process::ProcessTable;
use crate::provision::{OnDemand, Provisioner};
use crate::quarantine::Quarantine;
use crate::record::SandboxRecord;
use crate::registry::Registry;
use crate::slot::{AbsentRuntime, Slot};
use crate::snapshots::OnTheirWay;
use crate::store::{Loaded, MemoryStore, Store, StoredProcess, StoredSandbox};
use crate::templates::Templates;
use crate::watcher::Watcher;

/// Builds an [`Engine`].
#[derive(Debug)]
#[must_use]
pub struct EngineBuilder {
    runtimes: Vec<(String, Arc<dyn Runtime>)>,
    default_runtime: Option<String>,
    environments: Vec<(String, Environment)>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    templates: Templates,
    more_templates: Vec<Template>,
    provisioner: Arc<dyn Provisioner>,
    admission: Arc<dyn Admission>,
    config: EngineConfig,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            runtimes: Vec::new(),
            default_runtime: None,
            environments: Vec::new(),
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
            templates: Templates::empty(),
            more_templates: Vec::new(),
            provisioner: Arc::new(OnDemand),
            admission: Arc::new(Unlimited),
            config: EngineConfig::default(),
        }
    }
}

impl EngineBuilder {
    /// Adds a runtime under `name`. The first is the default.
    pub fn runtime(mut self, name: impl Into<String>, runtime: Arc<dyn Runtime>) -> Self {
        self.runtimes.push((name.into(), runtime));
        self
    }

    /// Makes `name` the runtime of requests and templates that name none.
    pub fn default_runtime(mut self, name: impl Into<String>) -> Self {
        self.default_runtime = Some(name.into());
        self
    }

    /// Tells what surrounds the sandboxes of the runtime `name`: its host's addresses, its gateway,
    /// the neighbours. The runtime protects them by itself; this is for
    /// [`Engine::explain_egress`], which cannot ask it. Default: what every machine has.
    pub fn environment(mut self, name: impl Into<String>, environment: Environment) -> Self {
        self.environments.push((name.into(), environment));
        self
    }

    /// Keeps everything in `store`. Default: in memory.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// As [`store`](Self::store), for a store that somebody else holds as well.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// Takes the time from `clock`. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Replaces all templates. Default: none.
    pub fn templates(mut self, templates: Templates) -> Self {
        self.templates = templates;
        self
    }

    /// Adds a template.
    pub fn template(mut self, template: Template) -> Self {
        self.more_templates.push(template);
        self
    }

    /// Obtains sandboxes through `provisioner`. Default: from the runtime when asked for.
    pub fn provisioner(mut self, provisioner: impl Provisioner) -> Self {
        self.provisioner = Arc::new(provisioner);
        self
    }

    /// Asks `admission` before every sandbox. Default: everybody is admitted.
    pub fn admission(mut self, admission: impl Admission) -> Self {
        self.admission = Arc::new(admission);
        self
    }

    /// Sets limits and times.
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.config = config;
        self
    }

    /// Starts the engine: reads the store, looks at what every runtime has, and sets right what
    /// does not fit. What nobody knows is destroyed. The engine starts as well while a runtime is
    /// away; its sandboxes are then not available until it is back. What the store has and cannot
    /// read is set aside, and what it names is left alone: [`Engine::quarantined`].
    ///
    /// Must be called within a Tokio runtime, on which the engine's tasks run.
    ///
    /// # Errors
    /// `InvalidSpec` with field `runtime` for a bad, doubled or unknown name, or `template` for a
    /// bad template; what the store fails with.
    pub async fn build(mut self) -> Result<Engine> {
        for template in std::mem::take(&mut self.more_templates) {
            self.templates.insert(template, Vec::new())?;
        }
        let mut slots = slots(&self.runtimes, std::mem::take(&mut self.environments))?;
        let default_runtime = self.choose_default(&slots)?;
        let mut loaded = self.store.load().await?;
        add_absent(&mut slots, &loaded);
        let core = Arc::new(Core {
            store: self.store,
            clock: self.clock,
            config: self.config,
            registry: Registry::default(),
            slots,
            default_runtime,
            templates: self.templates,
            provisioner: self.provisioner,
            admission: self.admission,
            snapshots: OnTheirWay::default(),
            quarantine: Quarantine::new(std::mem::take(&mut loaded.quarantined)),
            meter: Meter::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            next_seq: AtomicU64::new(loaded.last_seq + 1),
            writes: AtomicU64::new(0),
        });
        // From here on, a build that is given up takes its tasks with it.
        let engine = Engine::new(Arc::clone(&core));
        core.store.purge(core.retention()).await?;
        read_meters(&core, &loaded).await?;
        take_up(&core, loaded)?;
        core.tasks.spawn(allowance::watch(Arc::clone(&core)));
        let looks = core.slots.values().map(|slot| {
            let mut watcher = Watcher::new(Arc::clone(&core), Arc::clone(slot));
            async move {
                watcher.look().await;
                watcher
            }
        });
        for watcher in futures_util::future::join_all(looks).await {
            core.tasks.spawn(watcher.run());
        }
        Ok(engine)
    }

    fn choose_default(&self, slots: &Slots) -> Result<Option<RuntimeName>> {
        let named = self.default_runtime.clone();
        let first = self.runtimes.first().map(|(name, _)| name.clone());
        let Some(name) = named.or(first) else {
            return Ok(None);
        };
        let name = RuntimeName::new(name)?;
        if slots.contains_key(&name) {
            return Ok(Some(name));
        }
        let message = format!("the default {name} is not one of the runtimes");
        Err(Error::invalid("engine.build", "runtime", message))
    }
}

type Slots = BTreeMap<RuntimeName, Arc<Slot>>;

fn slots(
    runtimes: &[(String, Arc<dyn Runtime>)],
    environments: Vec<(String, Environment)>,
) -> Result<Slots> {
    let mut environments: HashMap<String, Environment> = environments.into_iter().collect();
    let mut slots = Slots::new();
    for (name, runtime) in runtimes {
        let name = RuntimeName::new(name.as_str())?;
        let guarded: Arc<dyn Runtime> = Arc::new(Guarded::new(Arc::clone(runtime)));
        let environment = environments.remove(name.as_str()).unwrap_or_default();
        let slot = Arc::new(Slot::new(name.clone(), guarded, environment));
        if slots.insert(name.clone(), slot).is_some() {
            let message = format!("there are two runtimes called {name}");
            return Err(Error::invalid("engine.build", "runtime", message));
        }
    }
    if let Some(name) = environments.into_keys().next() {
        let message =
            format!("there is an environment for {name:?}, which is not one of the runtimes");
        return Err(Error::invalid("engine.build", "runtime", message));
    }
    Ok(slots)
}

/// Sandboxes of a runtime that is not configured any more are not lost: they wait for it.
fn add_absent(slots: &mut Slots, loaded: &Loaded) {
    for sandbox in &loaded.sandboxes {
        slots.entry(sandbox.runtime.clone()).or_insert_with_key(|name| {
            tracing::warn!(runtime = %name, "stored sandboxes name a runtime that is not configured");
            let absent = Arc::new(AbsentRuntime::new(name.clone()));
            Arc::new(Slot::new(name.clone(), absent, Environment::default()))
        });
    }
}

/// Reads how long the sandboxes of each owner ran, before one goes on running.
async fn read_meters(core: &Arc<Core>, loaded: &Loaded) -> Result<()> {
    let mut owners: HashMap<&OwnerId, HashSet<SandboxId>> = HashMap::new();
    for sandbox in &loaded.sandboxes {
        let theirs = owners.entry(&sandbox.owner).or_default();
        theirs.insert(sandbox.id().clone());
    }
    for (owner, lives) in owners {
        allowance::load(core, owner, &lives).await?;
        if let Err(error) = allowance::refresh(core, owner).await {
            // What it has runs on; it gets nothing new.
            tracing::warn!(%error, %owner, "the allowance of an owner cannot be read");
        }
    }
    Ok(())
}

/// Gives every stored sandbox its driver.
fn take_up(core: &Arc<Core>, loaded: Loaded) -> Result<()> {
    let mut processes: HashMap<SandboxId, Vec<StoredProcess>> = HashMap::new();
    for process in loaded.processes {
        let theirs = processes.entry(process.sandbox.clone()).or_default();
        theirs.push(process);
    }
    for stored in loaded.sandboxes {
        let Some(slot) = core.slots.get(&stored.runtime) else {
            // `add_absent` made one for each.
            continue;
        };
        let rows = processes.remove(stored.id()).unwrap_or_default();
        let (inbox, messages) = mpsc::unbounded_channel();
        let entry = Arc::new(Entry::new(NewEntry {
            record: SandboxRecord::from_stored(&stored, false),
            slot: Arc::clone(slot),
            processes: ProcessTable::load(rows, &core.config),
            inbox,
        }));
        core.registry.insert(&entry)?;
        if stored.lifecycle.holds_resources() {
            core.admission.restore(&entry.owner, &entry.spec);
        }
        spawn(core, entry, messages, stored, Beginning::Loaded);
    }
    Ok(())
}

/// Starts the driver of a sandbox.
pub(crate) fn spawn(
    core: &Arc<Core>,
    entry: Arc<Entry>,
    messages: mpsc::UnboundedReceiver<crate::driver::Message>,
    stored: StoredSandbox,
    beginning: Beginning,
) {
    let is_new = matches!(beginning, Beginning::New { .. });
    let driver = Driver::new(Arc::clone(core), entry, messages, stored, is_new);
    core.tasks.spawn(driver.run(beginning));
}
