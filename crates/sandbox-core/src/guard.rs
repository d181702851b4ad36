//! The layer that refuses before any IO.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::capabilities::need;
use crate::egress::EgressRules;
use crate::file::check_mode;
use crate::{
    BoxConnection, BoxStream, ByteStream, Capabilities, Command, Error, ExitStatus, FileContent,
    FileEvent, FileInfo, Health, ListOptions, MakeDirOptions, Pid, Process, ProcessEvent,
    ProcessInfo, Progress, PtySize, ReadOptions, Recovered, Result, Runtime, RuntimeEvent, Sandbox,
    SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Source, Stats, WatchOptions,
    WriteOptions,
};

/// A [`Runtime`] that holds every request against the inner runtime's [`Capabilities`] and against
/// what can be checked without it, before the inner runtime sees it.
///
/// Runtimes hand themselves out wrapped in this, so that a check is written once and none is
/// forgotten.
#[derive(Debug, Clone)]
pub struct Guarded {
    inner: Arc<dyn Runtime>,
}

impl Guarded {
    /// Puts `runtime` behind the guard.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { inner: runtime }
    }

    /// Puts a sandbox of the inner runtime behind the guard, for runtimes with more ways to one
    /// than [`Runtime::create`].
    pub fn guard(&self, sandbox: Arc<dyn Sandbox>) -> Arc<dyn Sandbox> {
        Arc::new(GuardedSandbox {
            inner: sandbox,
            capabilities: self.inner.capabilities().clone(),
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for Guarded {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.capabilities().check_spec(spec)?;
        Ok(self.guard(self.inner.create(spec).await?))
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        if matches!(source, Source::Snapshot(_)) {
            need(self.capabilities().snapshot, "source.snapshot", "snapshots")?;
        }
        self.inner.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        let mut found = self.inner.recover().await?;
        for one in &mut found {
            one.sandbox = self.guard(Arc::clone(&one.sandbox));
        }
        Ok(found)
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        need(self.capabilities().snapshot, "snapshot", "snapshots")?;
        self.inner.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.inner.events()
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

#[derive(Debug)]
struct GuardedSandbox {
    inner: Arc<dyn Sandbox>,
    capabilities: Capabilities,
}

impl GuardedSandbox {
    fn guard(&self, process: Arc<dyn Process>) -> Arc<dyn Process> {
        Arc::new(GuardedProcess {
            inner: process,
            signals: self.capabilities.signals,
        })
    }
}

/// Refuses what no runtime could do with the root directory.
fn not_root(field: &'static str, path: &SandboxPath) -> Result<()> {
    if path.is_root() {
        return Err(Error::invalid(
            "sandbox.check",
            field,
            "must not be the root directory",
        ));
    }
    Ok(())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for GuardedSandbox {
    fn id(&self) -> &SandboxId {
        self.inner.id()
    }

    fn spec(&self) -> &SandboxSpec {
        self.inner.spec()
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        command.validate()?;
        self.capabilities.check_command(&command)?;
        Ok(self.guard(self.inner.spawn(command).await?))
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        need(self.capabilities.attach, "pid", "attaching to processes")?;
        Ok(self.guard(self.inner.attach(pid).await?))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        need(
            self.capabilities.processes,
            "processes",
            "a list of processes",
        )?;
        self.inner.processes().await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        need(self.capabilities.signals, "signal", "signals")?;
        // Zero and negative ids mean groups to the kernel; a list of processes never shows them.
        if pid == 0 || pid > i32::MAX as u32 {
            return Err(Error::invalid(
                "sandbox.check",
                "pid",
                format!("{pid} is not a process id"),
            ));
        }
        self.inner.signal(pid, signal).await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        self.inner.read(path, options).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        not_root("path", path)?;
        check_mode(options.mode)?;
        if options.user.is_some() {
            need(self.capabilities.users, "user", "users")?;
        }
        self.inner.write(path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.inner.stat(path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        if options.depth == 0 {
            return Err(Error::invalid(
                "sandbox.check",
                "depth",
                "must be at least 1",
            ));
        }
        self.inner.list(path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        check_mode(options.mode)?;
        if options.user.is_some() {
            need(self.capabilities.users, "user", "users")?;
        }
        self.inner.make_dir(path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        not_root("from", from)?;
        not_root("to", to)?;
        self.inner.rename(from, to).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        not_root("path", path)?;
        self.inner.remove(path, recursive).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        need(self.capabilities.watch, "path", "watching of files")?;
        self.inner.watch(path, options).await
    }

    async fn pause(&self) -> Result<()> {
        need(self.capabilities.pause, "pause", "pausing")?;
        self.inner.pause().await
    }

    async fn resume(&self) -> Result<()> {
        need(self.capabilities.pause, "resume", "pausing")?;
        self.inner.resume().await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        let egress = &self.capabilities.egress;
        need(
            egress.live_update,
            "egress",
            "replacing the policy of a running sandbox",
        )?;
        egress.check(rules)?;
        self.inner.set_egress(rules).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        need(self.capabilities.connect, "port", "connections to ports")?;
        if port == 0 {
            return Err(Error::invalid(
                "sandbox.check",
                "port",
                "must be from 1 to 65535",
            ));
        }
        self.inner.connect(port).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        need(self.capabilities.snapshot, "snapshot", "snapshots")?;
        self.inner.snapshot().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        self.inner.destroy().await
    }
}

#[derive(Debug)]
struct GuardedProcess {
    inner: Arc<dyn Process>,
    signals: bool,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for GuardedProcess {
    fn pid(&self) -> Pid {
        self.inner.pid()
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        self.inner.events()
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.inner.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.inner.close_stdin().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        self.inner.wait().await
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        need(self.signals, "signal", "signals")?;
        self.inner.signal(signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        size.validate()?;
        self.inner.resize(size).await
    }
}
