//! What outlives a client: the fake's counterpart of a container daemon.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sandbox_core::egress::{EgressRules, ScopedPolicy};
use sandbox_core::{
    Capabilities, Error, ErrorKind, RecoveredState, Result, RuntimeEvent, SandboxId, SandboxSpec,
    SnapshotId, Source,
};

use super::faults::Faults;
use super::image::Images;
use super::kernel::Kernel;
use super::network::FakeNetwork;
use super::runtime::FakeRuntime;
use super::script::ScriptContext;
use super::time::TimeSource;
use super::tree::Tree;
use super::world::World;
use crate::ManualClock;
use crate::lock::Locked;

/// What a test sees of one sandbox that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct FakeSandboxInfo {
    /// What it was made from.
    pub spec: SandboxSpec,
    /// The state it is in.
    pub state: RecoveredState,
    /// The egress policy in force.
    pub egress: EgressRules,
    /// How many processes run in it.
    pub processes: usize,
}

/// The state behind every [`FakeRuntime`] that is connected to it: sandboxes, snapshots, images,
/// the network. It lives on when its runtimes are dropped, so that whoever uses them can be
/// killed and started again. Clones are the same daemon.
#[derive(Debug, Clone)]
pub struct FakeDaemon {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Faults,
    pub(crate) capabilities: Capabilities,
    pub(crate) images: Images,
    sandboxes: Mutex<BTreeMap<SandboxId, Entry>>,
    snapshots: Mutex<BTreeMap<SnapshotId, Arc<Tree>>>,
    next_snapshot: AtomicU64,
    next_client: AtomicU64,
    away: AtomicBool,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The client that made it.
    client: u64,
    kernel: Arc<Kernel>,
    broken: bool,
}

impl Default for FakeDaemon {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeDaemon {
    /// A daemon without sandboxes that can do everything, in Tokio's time.
    pub fn new() -> Self {
        Self::build(TimeSource::Tokio, super::everything())
    }

    /// A daemon in `clock`'s time: time limits of commands, `sleep` and injected delays pass only
    /// when the test moves it.
    pub fn with_clock(clock: ManualClock) -> Self {
        Self::build(TimeSource::Manual(clock), super::everything())
    }

    /// A daemon that can do only what `capabilities` say. Everything else is refused.
    pub fn with_capabilities(capabilities: Capabilities) -> Self {
        Self::build(TimeSource::Tokio, capabilities)
    }

    /// A daemon in `clock`'s time that can do only what `capabilities` say.
    pub fn with_clock_and_capabilities(clock: ManualClock, capabilities: Capabilities) -> Self {
        Self::build(TimeSource::Manual(clock), capabilities)
    }

    fn build(time: TimeSource, capabilities: Capabilities) -> Self {
        let now = time.now();
        Self {
            shared: Arc::new(Shared {
                world: World::new(time),
                faults: Faults::default(),
                capabilities,
                images: Images::new(now),
                sandboxes: Mutex::default(),
                snapshots: Mutex::default(),
                next_snapshot: AtomicU64::new(1),
                next_client: AtomicU64::new(1),
                away: AtomicBool::new(false),
            }),
        }
    }

    /// A new client of this daemon.
    pub fn connect(&self) -> FakeRuntime {
        FakeRuntime::of(self.clone())
    }

    /// Faults on order and the call log, of all clients together.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The network its sandboxes are in.
    pub fn network(&self) -> &FakeNetwork {
        &self.shared.world.network
    }

    /// Adds an image with the same content as [`FAKE_IMAGE`](crate::FAKE_IMAGE).
    pub fn add_image(&self, name: &str) {
        self.shared.images.add(name, self.shared.world.time.now());
    }

    /// Registers a program that every sandbox finds by its name; what it returns is its exit code.
    pub fn script<F, W>(&self, name: &str, program: F)
    where
        F: Fn(ScriptContext) -> W + Send + Sync + 'static,
        W: Future<Output = u8> + Send + 'static,
    {
        let program = Arc::new(
            move |context| -> std::pin::Pin<Box<dyn Future<Output = u8> + Send>> {
                Box::pin(program(context))
            },
        );
        self.shared.world.add_program(name.to_owned(), program);
    }

    /// Everything that exists now, by id: what a test looks at for orphans.
    pub fn sandboxes(&self) -> BTreeMap<SandboxId, FakeSandboxInfo> {
        let sandboxes = self.shared.sandboxes.locked();
        let info = |entry: &Entry| FakeSandboxInfo {
            spec: entry.kernel.spec.clone(),
            state: entry.state(),
            egress: entry.kernel.egress_rules(),
            // The first process is always there.
            processes: entry.kernel.processes().len() - 1,
        };
        sandboxes
            .iter()
            .map(|(id, entry)| (id.clone(), info(entry)))
            .collect()
    }

    /// The snapshots that exist now.
    pub fn snapshots(&self) -> Vec<SnapshotId> {
        self.shared.snapshots.locked().keys().cloned().collect()
    }

    /// Stops answering: every call fails with `Unavailable`. Sandboxes go on.
    pub fn go_away(&self) {
        self.shared.away.store(true, Ordering::SeqCst);
        self.shared.world.announce(RuntimeEvent::BackendLost);
    }

    /// Answers again.
    pub fn come_back(&self) {
        self.shared.away.store(false, Ordering::SeqCst);
        self.shared.world.announce(RuntimeEvent::BackendBack);
    }

    /// The sandbox's first process dies, and everything in it with it: it is left broken. False
    /// when there is no such sandbox.
    pub fn crash(&self, id: &SandboxId) -> bool {
        let Some(kernel) = self.shared.break_sandbox(id) else {
            return false;
        };
        kernel.close();
        self.shared.world.announce(RuntimeEvent::Exited(id.clone()));
        true
    }

    /// The sandbox's memory runs out for good: it is left broken. False when there is no such
    /// sandbox.
    pub fn run_out_of_memory(&self, id: &SandboxId) -> bool {
        let Some(kernel) = self.shared.break_sandbox(id) else {
            return false;
        };
        kernel.close();
        self.shared.world.announce(RuntimeEvent::OutOfMemory {
            id: id.clone(),
            pid: None,
            fatal: true,
        });
        true
    }

    /// Removes a sandbox as if somebody had done it behind its owner's back. False when there is
    /// no such sandbox.
    pub fn vanish(&self, id: &SandboxId) -> bool {
        let removed = self.shared.sandboxes.locked().remove(id);
        let Some(entry) = removed else {
            return false;
        };
        entry.kernel.close();
        self.shared.world.announce(RuntimeEvent::Exited(id.clone()));
        true
    }
}

impl Entry {
    fn state(&self) -> RecoveredState {
        if self.broken {
            RecoveredState::Broken
        } else if self.kernel.is_frozen() {
            RecoveredState::Paused
        } else {
            RecoveredState::Running
        }
    }
}

impl Shared {
    /// # Errors
    /// `Unavailable` while the daemon is away.
    pub(crate) fn answers(&self, operation: &'static str) -> Result<()> {
        if self.away.load(Ordering::SeqCst) {
            let message = "the fake daemon does not answer; let it come back";
            return Err(Error::new(ErrorKind::Unavailable, operation, message));
        }
        Ok(())
    }

    /// The file tree that `source` stands for.
    pub(crate) fn tree(&self, source: &Source) -> Result<Arc<Tree>> {
        let (found, field) = match source {
            Source::Image(name) => (self.images.get(name), "image"),
            Source::Snapshot(id) => (self.snapshots.locked().get(id).cloned(), "source.snapshot"),
        };
        found.ok_or_else(|| {
            let message = format!("there is no {source:?}");
            Error::new(ErrorKind::NotFound, "fake.create", message).with_field(field)
        })
    }

    pub(crate) fn create(&self, client: u64, spec: &SandboxSpec) -> Result<Arc<Kernel>> {
        let tree = self.tree(spec.source())?;
        let mut sandboxes = self.sandboxes.locked();
        if sandboxes.contains_key(spec.id()) {
            let message = format!("there is a sandbox {} already", spec.id());
            return Err(Error::new(ErrorKind::Conflict, "fake.create", message).with_field("id"));
        }
        let addresses = self.world.network.allocate();
        let environment = FakeNetwork::environment(&addresses);
        let policy = ScopedPolicy::new(spec.egress().clone(), environment);
        let world = Arc::clone(&self.world);
        let kernel = Kernel::new(spec.clone(), world, tree, addresses, policy);
        self.world.network.enter(kernel.addresses(), &kernel);
        let entry = Entry {
            client,
            kernel: Arc::clone(&kernel),
            broken: false,
        };
        sandboxes.insert(spec.id().clone(), entry);
        Ok(kernel)
    }

    /// The sandbox `id`, which must be whole.
    pub(crate) fn kernel(&self, id: &SandboxId, operation: &'static str) -> Result<Arc<Kernel>> {
        let sandboxes = self.sandboxes.locked();
        match sandboxes.get(id) {
            Some(entry) if entry.broken => {
                let message = format!("{id} is broken: its first process is gone");
                Err(Error::new(ErrorKind::Conflict, operation, message))
            }
            Some(entry) => Ok(Arc::clone(&entry.kernel)),
            None => {
                let message = format!("there is no sandbox {id}");
                Err(Error::new(ErrorKind::NotFound, operation, message).with_field("id"))
            }
        }
    }

    /// What a client finds: everything, or its own when sandboxes do not outlive their program.
    pub(crate) fn existing(&self, client: u64) -> Vec<(SandboxSpec, RecoveredState)> {
        let sandboxes = self.sandboxes.locked();
        sandboxes
            .values()
            .filter(|entry| self.capabilities.recover || entry.client == client)
            .map(|entry| (entry.kernel.spec.clone(), entry.state()))
            .collect()
    }

    /// A number for a new client.
    pub(crate) fn next_client(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn destroy(&self, id: &SandboxId) {
        let removed = self.sandboxes.locked().remove(id);
        if let Some(entry) = removed {
            entry.kernel.close();
        }
    }

    fn break_sandbox(&self, id: &SandboxId) -> Option<Arc<Kernel>> {
        let mut sandboxes = self.sandboxes.locked();
        let entry = sandboxes.get_mut(id)?;
        entry.broken = true;
        Some(Arc::clone(&entry.kernel))
    }

    pub(crate) fn snapshot(&self, kernel: &Kernel) -> Result<SnapshotId> {
        let number = self.next_snapshot.fetch_add(1, Ordering::Relaxed);
        let id = SnapshotId::new(format!("fake-{number}"))?;
        let tree = kernel.snapshot_files();
        self.snapshots.locked().insert(id.clone(), tree);
        Ok(id)
    }

    pub(crate) fn remove_snapshot(&self, id: &SnapshotId) -> Result<()> {
        let removed = self.snapshots.locked().remove(id);
        removed.map(|_| ()).ok_or_else(|| {
            let message = format!("there is no snapshot {id}");
            Error::new(ErrorKind::NotFound, "fake.remove_snapshot", message).with_field("snapshot")
        })
    }
}
