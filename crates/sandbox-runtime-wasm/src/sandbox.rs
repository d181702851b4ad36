//! One sandbox.

use std::sync::{Arc, MutexGuard, Weak};

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, RecoveredState,
    Result, Sandbox, SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions,
    WriteOptions,
};

use crate::commands;
use crate::files::{self, Volume};
use crate::fs::{Caller, FileSystem, Limits};
use crate::jobs::Jobs;
use crate::kernel::{Errno, Machine, ProcessRow, Target};
use crate::lock::Lock;
use crate::net::Network;
use crate::origin::Origin;
use crate::process::WasmProcess;
use crate::shared::Shared;

/// A sandbox of this process.
#[derive(Debug)]
pub(crate) struct WasmSandbox {
    spec: SandboxSpec,
    pub(crate) machine: Arc<Machine>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) shared: Weak<Shared>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) network: Arc<Network>,
    /// The policy in force, where it is not the spec's any more.
    egress: Lock<Option<Box<EgressRules>>>,
    state: Lock<State>,
}

/// What a sandbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Paused,
    Destroyed,
}

impl WasmSandbox {
    pub(crate) fn new(
        spec: SandboxSpec,
        machine: Arc<Machine>,
        network: Arc<Network>,
        origin: Arc<Origin>,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            spec,
            machine,
            network,
            origin,
            shared: Arc::downgrade(shared),
            jobs: Arc::default(),
            egress: Lock::default(),
            state: Lock::new(State::Running),
        }
    }

    /// What it was made from.
    pub(crate) fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    /// The policy in force: the spec's, or what replaced it.
    pub(crate) fn egress(&self) -> EgressRules {
        let replaced = self.egress.lock().clone();
        replaced.map_or_else(|| self.spec.egress().clone(), |rules| *rules)
    }

    /// An image that has the program `name`, where one is known.
    pub(crate) fn image_with(&self, name: &str) -> Option<&'static str> {
        self.shared.upgrade()?.catalogue.image_with(name)
    }

    /// The state as [`Runtime::recover`](sandbox_core::Runtime::recover) reports it.
    pub(crate) fn recovered(&self) -> RecoveredState {
        match *self.state.lock() {
            State::Running => RecoveredState::Running,
            State::Paused => RecoveredState::Paused,
            // It is still being taken apart.
            State::Destroyed => RecoveredState::Broken,
        }
    }

    fn check_exists(&self, operation: &'static str) -> Result<()> {
        match *self.state.lock() {
            State::Running | State::Paused => Ok(()),
            State::Destroyed => Err(self.gone(operation)),
        }
    }

    fn gone(&self, operation: &'static str) -> Error {
        let message = format!("the sandbox {} was destroyed", self.spec.id());
        Error::new(ErrorKind::NotFound, operation, message)
    }

    /// The runtime, which goes before its sandboxes do only by ending them.
    pub(crate) fn shared(&self, operation: &'static str) -> Result<Arc<Shared>> {
        self.shared.upgrade().ok_or_else(|| self.gone(operation))
    }

    /// The files as they are now, with what else a sandbox is made from.
    pub(crate) fn origin_now(&self, operation: &'static str) -> Result<Origin> {
        let files = self.enter(operation)?.snapshot();
        Ok(self.origin.with_files(files))
    }
}

impl Volume for WasmSandbox {
    fn lock(&self) -> MutexGuard<'_, FileSystem> {
        self.machine.files.lock()
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        match *self.state.lock() {
            State::Running => Ok(()),
            State::Destroyed => Err(self.gone(operation)),
            State::Paused => {
                let message = format!("the sandbox {} is paused", self.spec.id());
                Err(Error::new(ErrorKind::Conflict, operation, message))
            }
        }
    }

    fn caller(&self) -> Caller {
        self.machine.caller(self.machine.user)
    }
}

/// The sandbox as everybody holds it: its streams outlive the call that made them.
#[derive(Debug, Clone)]
pub(crate) struct Handle(pub(crate) Arc<WasmSandbox>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for Handle {
    fn id(&self) -> &SandboxId {
        self.0.spec.id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.0.spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        const OPERATION: &str = "wasm.spawn";
        self.0.check(OPERATION)?;
        let started = commands::start(&self.0, command).await?;
        // One that was destroyed meanwhile has killed it.
        self.0.check_exists(OPERATION)?;
        Ok(Arc::new(started))
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        self.0.check("wasm.attach")?;
        let job = self.0.jobs.get(pid)?;
        Ok(Arc::new(WasmProcess::new(job, Arc::clone(&self.0.jobs))))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.0.check("wasm.processes")?;
        let rows = self.0.machine.processes().into_iter();
        Ok(rows.map(info).collect())
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        const OPERATION: &str = "wasm.signal";
        self.0.check(OPERATION)?;
        let sent = self
            .0
            .machine
            .send_signal(Target::Process(pid), Some(signal));
        sent.map_err(|errno| {
            let (kind, message) = match errno {
                Errno::PERM => (ErrorKind::PermissionDenied, "is the sandbox's own process"),
                _ => (ErrorKind::NotFound, "is no process of the sandbox"),
            };
            Error::new(kind, OPERATION, format!("{pid} {message}")).with_field("pid")
        })
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        files::read(&self.0, path, options)
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        files::write(&self.0, path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        files::stat(&*self.0, path)
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        files::list(&*self.0, path, options)
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        files::make_dir(&*self.0, path, &options)
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        files::rename(&*self.0, from, to)
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        files::remove(&*self.0, path, recursive).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        files::watch(&*self.0, path, options)
    }

    async fn pause(&self) -> Result<()> {
        let group = &self.0.machine.group;
        {
            let mut state = self.0.state.lock();
            match *state {
                State::Destroyed => return Err(self.0.gone("wasm.pause")),
                State::Running => {
                    *state = State::Paused;
                    group.pause();
                }
                State::Paused => {}
            }
        }
        // What runs goes on to the end of its slice.
        group.quiet().await;
        Ok(())
    }

    async fn resume(&self) -> Result<()> {
        let mut state = self.0.state.lock();
        match *state {
            State::Destroyed => Err(self.0.gone("wasm.resume")),
            State::Paused => {
                *state = State::Running;
                self.0.machine.group.resume();
                Ok(())
            }
            State::Running => Ok(()),
        }
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        const OPERATION: &str = "wasm.set_egress";
        // Noted and enforced in one step: forks take what is noted.
        let mut egress = self.0.egress.lock();
        self.0.check_exists(OPERATION)?;
        self.0.network.set_egress(Some(rules));
        *egress = Some(Box::new(rules.clone()));
        Ok(())
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.0.check("wasm.connect")?;
        self.0.network.connect_to(port).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        const OPERATION: &str = "wasm.snapshot";
        let shared = self.0.shared(OPERATION)?;
        shared.snapshots.keep(self.0.origin_now(OPERATION)?)
    }

    async fn stats(&self) -> Result<Stats> {
        self.0.check_exists("wasm.stats")?;
        let machine = &self.0.machine;
        let image = self.0.origin.image.bytes;
        let (used, limits) = {
            let files = machine.files.lock();
            (files.usage(), files.limits())
        };
        let mut stats = Stats::default();
        stats.cpu_time = machine.group.cpu_time();
        stats.memory = machine.memory.used();
        stats.memory_limit = machine.memory.limit();
        stats.pids = u32::try_from(machine.process_count()).unwrap_or(u32::MAX);
        (stats.network_received, stats.network_sent) = self.0.network.traffic();
        stats.disk = Some(used.bytes.saturating_sub(image));
        stats.disk_limit = Some(limits.bytes.saturating_sub(image));
        Ok(stats)
    }

    async fn destroy(&self) -> Result<()> {
        *self.0.state.lock() = State::Destroyed;
        self.0.machine.destroy().await;
        let nothing = FileSystem::new(Limits::default(), Caller::default());
        let files = std::mem::replace(&mut *self.0.machine.files.lock(), nothing);
        if let Some(shared) = self.0.shared.upgrade() {
            shared.sandboxes.remove(&self.0);
        }
        // A large tree takes a while: under no lock, and with nobody waiting for it in the list.
        drop(files);
        Ok(())
    }
}

/// A process as the trait shows it.
fn info(row: ProcessRow) -> ProcessInfo {
    let mut info = ProcessInfo::new(row.pid, row.parent, row.argv);
    info.uid = row.uid;
    info.spawned = row.command;
    info.memory = row.memory;
    info.cpu_time = row.cpu_time;
    info
}
