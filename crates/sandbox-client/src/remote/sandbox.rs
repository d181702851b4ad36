//! A remote sandbox.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use sandbox_api_types::{AttachQuery, ProcessRef, SandboxStatus, StartProcess, WatchEvent};
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, Sandbox,
    SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions, WriteOptions,
};

use super::error::{of_process, of_root};
use super::gate::Ending;
use super::positions::Positions;
use super::process::RemoteProcess;
use crate::SandboxCalls;

/// A sandbox of a server.
pub(super) struct RemoteSandbox {
    calls: SandboxCalls,
    spec: SandboxSpec,
    ending: Ending,
    positions: Positions,
    patience: Duration,
}

impl RemoteSandbox {
    pub(super) fn new(
        calls: SandboxCalls,
        spec: SandboxSpec,
        ending: Ending,
        patience: Duration,
    ) -> Self {
        Self {
            calls,
            spec,
            ending,
            positions: Positions::default(),
            patience,
        }
    }
}

impl fmt::Debug for RemoteSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSandbox")
            .field("id", self.calls.id())
            .field("client", self.calls.client())
            .finish_non_exhaustive()
    }
}

impl RemoteSandbox {
    /// The answer to a use: where the server says that the sandbox is in no state for it, the one for
    /// a sandbox that is gone, if it is.
    async fn settled<T>(&self, answer: Result<T>) -> Result<T> {
        match answer {
            Err(error) if error.kind() == ErrorKind::Conflict && error.field().is_none() => {
                Err(self.gone().await.unwrap_or(error))
            }
            other => other,
        }
    }

    async fn gone(&self) -> Option<Error> {
        let status = self.calls.get().await.map(|sandbox| sandbox.status);
        let gone = match &status {
            Ok(status) => *status == SandboxStatus::Destroyed,
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        gone.then(|| {
            let message = format!("there is no sandbox {}", self.id());
            let error = Error::new(ErrorKind::NotFound, "remote.use", message);
            error.with_field("sandbox_id")
        })
    }
}

/// The process waits for its reader, as it would for a pipe.
fn paced(from: u64) -> AttachQuery {
    AttachQuery { from, paced: true }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for RemoteSandbox {
    fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        let request = StartProcess::from_core(command, None);
        let started = self.calls.start_attached(request, paced(0)).await;
        let attachment = self.settled(started).await?;
        Ok(Arc::new(RemoteProcess::follow(
            self.calls.clone(),
            attachment,
            self.positions.clone(),
            Some(0),
            self.patience,
        )))
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        let (process, next) = match self.positions.of(pid) {
            Some(position) => (ProcessRef::Id(position.process), Some(position.next)),
            None => (ProcessRef::Pid(pid), None),
        };
        let query = paced(next.unwrap_or(0));
        let attached = self.calls.attach_process(&process, query).await;
        let attachment = self.settled(attached.map_err(of_process)).await?;
        Ok(Arc::new(RemoteProcess::follow(
            self.calls.clone(),
            attachment,
            self.positions.clone(),
            next,
            self.patience,
        )))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        let processes = self.settled(self.calls.system_processes().await).await?;
        Ok(processes.into_iter().map(ProcessInfo::from).collect())
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        let sent = self.calls.signal_system_process(pid, signal).await;
        self.settled(sent.map_err(of_process)).await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        let file = self.calls.read_file(path, options).await;
        let file = file.map_err(|error| of_root(error, path));
        let file = self.settled(file).await?;
        Ok(FileContent {
            info: file.info.into(),
            body: file.body,
        })
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let info = self.calls.write_file(path, body, options).await;
        Ok(self.settled(info).await?.into())
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        let info = self.calls.stat_file(path).await;
        Ok(self.settled(info).await?.into())
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        let files = self.calls.list_files(path, options).await;
        let files = self.settled(files).await?;
        Ok(files.into_iter().map(FileInfo::from).collect())
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        let made = self.calls.make_directory(path, options).await;
        self.settled(made).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        let renamed = self.calls.rename_file(from, to).await;
        self.settled(renamed).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        let removed = self.calls.remove_file(path, recursive).await;
        self.settled(removed).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        let events = self.calls.watch_files(path, options).await;
        let events = self.settled(events).await?;
        let changes = events.filter_map(|event| async {
            match event {
                Ok(WatchEvent::Change(change)) => Some(Ok(change.into())),
                Ok(WatchEvent::Error(body)) => Some(Err(body.error.into_error("remote.watch"))),
                Ok(WatchEvent::Ready(_)) => None,
                Err(error) => Some(Err(error)),
            }
        });
        Ok(Box::pin(changes))
    }

    async fn pause(&self) -> Result<()> {
        let paused = self.calls.suspend().await.map(|_| ());
        self.settled(paused).await
    }

    async fn resume(&self) -> Result<()> {
        let resumed = self.calls.wake().await.map(|_| ());
        self.settled(resumed).await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        let set = self.calls.set_egress(rules).await;
        self.settled(set).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        let connected = self.calls.connect(port).await;
        self.settled(connected).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        let taken = self.calls.snapshot().await;
        Ok(self.settled(taken).await?.id)
    }

    async fn stats(&self) -> Result<Stats> {
        let stats = self.calls.stats().await;
        Ok(self.settled(stats).await?.into())
    }

    async fn destroy(&self) -> Result<()> {
        self.ending.begin(self.id());
        match self.calls.destroy().await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.ending.forget(self.id());
                match error.kind() {
                    // It was gone before, and is no longer kept.
                    ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                }
            }
        }
    }
}
