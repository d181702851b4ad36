//! A runtime of one's own that passes the conformance suite: it makes its sandboxes with another
//! runtime and keeps an audit log of every command.
//!
//! `cargo run --example custom_runtime` shows it over the in-memory runtime, which needs nothing;
//! `cargo test --example custom_runtime` holds it against the whole suite.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sandbox::egress::EgressRules;
use sandbox::{
    BoxConnection, BoxStream, ByteStream, Capabilities, Command, FileContent, FileEvent, FileInfo,
    Guarded, Health, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, Progress, ReadOptions,
    Recovered, Result, Runtime, RuntimeEvent, Sandbox, SandboxExt, SandboxId, SandboxPath,
    SandboxSpec, Signal, SnapshotId, Source, Stats, WatchOptions, WriteOptions,
};
use sandbox_testkit::{FAKE_IMAGE, FakeDaemon};

/// What was run where, in order.
type Log = Arc<Mutex<Vec<(SandboxId, Vec<String>)>>>;

/// A runtime that notes every command before it starts.
#[derive(Debug)]
struct Audited {
    inner: Arc<dyn Runtime>,
    log: Log,
}

impl Audited {
    fn wrap(&self, sandbox: Arc<dyn Sandbox>) -> Arc<dyn Sandbox> {
        let log = Arc::clone(&self.log);
        Arc::new(AuditedSandbox {
            inner: sandbox,
            log,
        })
    }
}

// The lint makes the compiler ask about every method that the trait will ever get: one that
// slipped past would not be audited.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for Audited {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        Ok(self.wrap(self.inner.create(spec).await?))
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.inner.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        let mut found = self.inner.recover().await?;
        for one in &mut found {
            one.sandbox = self.wrap(Arc::clone(&one.sandbox));
        }
        Ok(found)
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
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
struct AuditedSandbox {
    inner: Arc<dyn Sandbox>,
    log: Log,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for AuditedSandbox {
    fn id(&self) -> &SandboxId {
        self.inner.id()
    }

    fn spec(&self) -> &SandboxSpec {
        self.inner.spec()
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        let entry = (self.id().clone(), command.to_argv());
        // A poisoned lock still holds a whole log: entries are pushed in one step.
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
        self.inner.spawn(command).await
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        self.inner.attach(pid).await
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.inner.processes().await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
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
        self.inner.write(path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.inner.stat(path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        self.inner.list(path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        self.inner.make_dir(path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        self.inner.rename(from, to).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        self.inner.remove(path, recursive).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        self.inner.watch(path, options).await
    }

    async fn pause(&self) -> Result<()> {
        self.inner.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.inner.resume().await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        self.inner.set_egress(rules).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.inner.connect(port).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.inner.snapshot().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        self.inner.destroy().await
    }
}

/// The runtime as it is handed out: behind the guard, which refuses what it cannot do.
fn audited(inner: Arc<dyn Runtime>) -> (Arc<dyn Runtime>, Log) {
    let log = Log::default();
    let runtime = Audited {
        inner,
        log: Arc::clone(&log),
    };
    (Arc::new(Guarded::new(Arc::new(runtime))), log)
}

#[tokio::main]
async fn main() -> Result<()> {
    let (runtime, log) = audited(Arc::new(FakeDaemon::new().connect()));
    let image = Source::Image(FAKE_IMAGE.to_owned());
    let spec = SandboxSpec::builder("custom-runtime".parse()?, image).build()?;

    let sandbox = runtime.create(&spec).await?;
    let output = sandbox.exec(Command::shell("echo hello")).await?;
    print!("{}", output.stdout_lossy());
    sandbox.destroy().await?;

    for (id, argv) in log.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{id} ran {argv:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sandbox_testkit::conformance::{FakeHarness, Harness, NetworkLab};

    use super::*;

    /// The harness of the runtime inside, with the runtime of this file over it.
    struct AuditedHarness(FakeHarness);

    #[async_trait]
    impl Harness for AuditedHarness {
        async fn runtime(&self) -> Arc<dyn Runtime> {
            audited(self.0.runtime().await).0
        }

        fn source(&self) -> Source {
            self.0.source()
        }

        async fn network(&self) -> Option<Box<dyn NetworkLab>> {
            self.0.network().await
        }

        async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
            Some(self.runtime().await)
        }
    }

    sandbox_testkit::conformance!(AuditedHarness(FakeHarness::default()));
}
