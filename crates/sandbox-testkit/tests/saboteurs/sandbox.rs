//! A sandbox with one defect.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, Program, ReadOptions, Result,
    Sandbox, SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions,
    WriteOptions, byte_stream,
};

use super::Sabotage;
use super::process::BentProcess;
use super::runtime::{LateSnapshots, OPEN_SERVER};

#[derive(Debug)]
pub(super) struct BentSandbox {
    how: Sabotage,
    inner: Arc<dyn Sandbox>,
    spec: SandboxSpec,
    paused: AtomicBool,
    late: LateSnapshots,
}

impl BentSandbox {
    pub(super) fn new(
        how: Sabotage,
        inner: Arc<dyn Sandbox>,
        spec: SandboxSpec,
        late: LateSnapshots,
    ) -> Self {
        let paused = AtomicBool::new(false);
        Self {
            how,
            inner,
            spec,
            paused,
            late,
        }
    }

    /// What the inner sandbox is told to run.
    fn bend(&self, mut command: Command) -> Command {
        match self.how {
            Sabotage::IgnoresDeadlines | Sabotage::DeadlineSparesSessions => command.timeout = None,
            Sabotage::IgnoresUsers => command.user = None,
            Sabotage::LeavesHostOpen => {
                // Policies are the core's, so the connection is bent to where anybody may go.
                if let Program::Argv(argv) = &mut command.program
                    && argv[0] == "nc"
                    && argv.len() > 2
                {
                    let host = argv.len() - 2;
                    argv[host] = OPEN_SERVER.to_string();
                }
            }
            _ => {}
        }
        command
    }

    fn check_paused(&self) -> Result<()> {
        if self.paused.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Conflict, "bent.check", "is paused"));
        }
        Ok(())
    }

    fn bend_error<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| match self.how {
            Sabotage::LosesFields => Error::new(error.kind(), error.operation(), error.message()),
            _ => error,
        })
    }

    /// Follows a link as if the sandbox's root were the host's.
    async fn read_on_host(&self, path: &SandboxPath) -> Option<FileContent> {
        let info = self.inner.stat(path).await.ok()?;
        let dir = Path::new(path.as_str()).parent()?;
        let data = std::fs::read(dir.join(&info.link.as_ref()?.text)).ok()?;
        let body = byte_stream(data);
        Some(FileContent { info, body })
    }
}

#[async_trait]
impl Sandbox for BentSandbox {
    fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        self.check_paused()?;
        let limit = command.timeout;
        let bent = self.bend(command.clone());
        let inner = match self.inner.spawn(bent.clone()).await {
            Err(error)
                if self.how == Sabotage::LosesDirectories && error.field() == Some("cwd") =>
            {
                let mut elsewhere = bent;
                elsewhere.cwd = None;
                self.inner.spawn(elsewhere).await?
            }
            spawned => spawned?,
        };
        let process = BentProcess::new(self.how, inner, Arc::clone(&self.inner));
        if let Some(limit) = limit
            && self.how == Sabotage::DeadlineSparesSessions
        {
            process.kill_group_after(limit);
        }
        Ok(Arc::new(process))
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
        if self.how == Sabotage::FollowsLinksToTheHost
            && let Some(content) = self.read_on_host(path).await
        {
            return Ok(content);
        }
        self.bend_error(self.inner.read(path, options).await)
    }

    async fn write(
        &self,
        path: &SandboxPath,
        mut body: ByteStream,
        mut options: WriteOptions,
    ) -> Result<FileInfo> {
        if self.how == Sabotage::IgnoresModes {
            options.mode = None;
        }
        if self.how == Sabotage::WritesInParts {
            let mut so_far = BytesMut::new();
            while let Some(chunk) = body.next().await {
                so_far.extend_from_slice(&chunk?);
                let part = byte_stream(so_far.clone().freeze());
                self.inner.write(path, part, options.clone()).await?;
            }
            return self.inner.stat(path).await;
        }
        self.inner.write(path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.bend_error(self.inner.stat(path).await)
    }

    async fn list(&self, path: &SandboxPath, mut options: ListOptions) -> Result<Vec<FileInfo>> {
        let limit = options.limit as usize;
        if self.how == Sabotage::ListsPartly {
            options.limit = u32::MAX;
        }
        let mut listed = self.inner.list(path, options).await?;
        listed.truncate(limit);
        if self.how == Sabotage::ListsInAnyOrder {
            listed.reverse();
        }
        Ok(listed)
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
        if self.how == Sabotage::WatchesNothing {
            return Ok(Box::pin(stream::pending()));
        }
        self.inner.watch(path, options).await
    }

    async fn pause(&self) -> Result<()> {
        match self.how {
            Sabotage::PausesNothing => Ok(()),
            Sabotage::PausesOnlyNewWork => {
                self.paused.store(true, Ordering::SeqCst);
                Ok(())
            }
            _ => self.inner.pause().await,
        }
    }

    async fn resume(&self) -> Result<()> {
        self.paused.store(false, Ordering::SeqCst);
        self.inner.resume().await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        match self.how {
            Sabotage::KeepsOldEgress => Ok(()),
            _ => self.inner.set_egress(rules).await,
        }
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        match self.how {
            Sabotage::ConnectsToNothing => {
                Ok(Box::new(futures_util::io::Cursor::new(Vec::<u8>::new())))
            }
            _ => self.inner.connect(port).await,
        }
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        *self.late.lock().unwrap() = Some(Arc::clone(&self.inner));
        self.inner.snapshot().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        match self.how {
            Sabotage::DestroysNothing => Ok(()),
            _ => self.inner.destroy().await,
        }
    }
}
