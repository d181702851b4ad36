//! A sandbox of the engine, as a [`Sandbox`].

mod streams;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::Request;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, Program, ReadOptions, Result,
    Sandbox, SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions,
    WriteOptions,
};

use self::streams::{UsedConnection, UsedProcess, UsedStream};
use crate::SandboxRecord;
use crate::access::Access;
use crate::driver::{Goal, Message};
use crate::events::EventKind;

/// How much of a command is shown in events, in characters.
const SUMMARY: usize = 256;

/// A sandbox as the engine lets it be used. It is itself a [`Sandbox`], so that everything written
/// over one works here too.
///
/// Every use counts as activity, and one that goes on (a call on its way, a stream that is read, a
/// connection) keeps a persistent sandbox awake. A use of a paused sandbox whose policy has auto
/// wake waits until it runs; without auto wake it is refused with `Conflict`. `pause`, `resume`,
/// `set_egress` and `destroy` go through the sandbox's life, as the engine's own do.
#[derive(Debug)]
pub struct SandboxHandle {
    access: Access,
}

impl SandboxHandle {
    pub(crate) fn new(access: Access) -> Self {
        Self { access }
    }

    /// The sandbox as it is now.
    pub fn record(&self) -> Arc<SandboxRecord> {
        self.access.entry().record()
    }

    fn available(&self) -> Result<Arc<dyn Sandbox>> {
        self.access.entry().sandbox().ok_or_else(|| {
            let message = "the sandbox is not made yet, or its runtime is away";
            Error::new(ErrorKind::Unavailable, "engine.use", message)
        })
    }
}

/// The beginning of a command, for events. Its environment is never in it.
pub(crate) fn summary(command: &Command) -> String {
    let whole = match &command.program {
        Program::Shell(line) => line.clone(),
        Program::Argv(argv) => argv.join(" "),
    };
    whole.chars().take(SUMMARY).collect()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for SandboxHandle {
    fn id(&self) -> &SandboxId {
        self.access.entry().id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.access.entry().spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        let (sandbox, _in_use) = self.access.enter().await?;
        let summary = summary(&command);
        let process = sandbox.spawn(command).await?;
        let pid = process.pid();
        self.access
            .publish(EventKind::CommandExecuted {
                command: summary,
                pid,
            })
            .await;
        Ok(Arc::new(UsedProcess::new(process, self.access.clone())))
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        let (sandbox, _in_use) = self.access.enter().await?;
        let process = sandbox.attach(pid).await?;
        Ok(Arc::new(UsedProcess::new(process, self.access.clone())))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.processes().await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.signal(pid, signal).await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        let (sandbox, in_use) = self.access.enter().await?;
        let content = sandbox.read(path, options).await?;
        Ok(FileContent {
            info: content.info,
            body: UsedStream::boxed(content.body, in_use),
        })
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let (sandbox, _in_use) = self.access.enter().await?;
        let info = sandbox.write(path, body, options).await?;
        self.access
            .publish(EventKind::FileWritten {
                path: path.clone(),
                size: info.size,
            })
            .await;
        Ok(info)
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.stat(path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.list(path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.make_dir(path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.rename(from, to).await?;
        let (from, to) = (from.clone(), to.clone());
        self.access.publish(EventKind::FileMoved { from, to }).await;
        Ok(())
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        let (sandbox, _in_use) = self.access.enter().await?;
        sandbox.remove(path, recursive).await?;
        let path = path.clone();
        self.access.publish(EventKind::FileRemoved { path }).await;
        Ok(())
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        let (sandbox, in_use) = self.access.enter().await?;
        let events = sandbox.watch(path, options).await?;
        Ok(UsedStream::boxed(events, in_use))
    }

    async fn pause(&self) -> Result<()> {
        self.access.pause().await.map(|_| ())
    }

    async fn resume(&self) -> Result<()> {
        let asked = self.access.request(Request::Resume, Some(Goal::Running));
        asked.await.map(|_| ())
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        let rules = rules.clone();
        let asked = self.access.ask(|reply| Message::SetEgress { rules, reply });
        asked.await.map(|_| ())
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        let (sandbox, in_use) = self.access.enter().await?;
        let connection = sandbox.connect(port).await?;
        Ok(Box::new(UsedConnection::new(connection, in_use)))
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.access.snapshot().await
    }

    /// Asks the runtime without counting as a use.
    async fn stats(&self) -> Result<Stats> {
        self.available()?.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        let asked = self.access.request(Request::Destroy, Some(Goal::Destroyed));
        match asked.await {
            // It was gone before.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
