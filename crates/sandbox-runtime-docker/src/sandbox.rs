//! The handle of a sandbox.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, FileContent, FileEvent, FileInfo, ListOptions,
    MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, Sandbox, SandboxId,
    SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions, WriteOptions,
};

use crate::pod::Pod;

/// A sandbox on a daemon. Whatever checks its use has done so: runtimes hand these out guarded.
#[derive(Debug)]
pub(crate) struct DockerSandbox(pub(crate) Arc<Pod>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for DockerSandbox {
    fn id(&self) -> &SandboxId {
        self.0.id()
    }

    fn spec(&self) -> &SandboxSpec {
        self.0.spec()
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        self.0.inside(self.0.channel().spawn(command)).await
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        self.0.inside(self.0.channel().attach(pid)).await
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.0.inside(self.0.channel().processes()).await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        self.0.inside(self.0.channel().signal(pid, signal)).await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        self.0.inside(self.0.channel().read(path, options)).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let writing = self.0.channel().write(path, body, options);
        self.0.inside(writing).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.0.inside(self.0.channel().stat(path)).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        self.0.inside(self.0.channel().list(path, options)).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        self.0
            .inside(self.0.channel().make_dir(path, options))
            .await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        self.0.inside(self.0.channel().rename(from, to)).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        self.0
            .inside(self.0.channel().remove(path, recursive))
            .await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        self.0.inside(self.0.channel().watch(path, options)).await
    }

    async fn pause(&self) -> Result<()> {
        self.0.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.0.resume().await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        self.0.set_egress(rules).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.0.inside(self.0.channel().connect(port)).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.0.snapshot().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.0.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        self.0.destroy().await
    }
}
