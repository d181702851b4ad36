//! How commands and files reach a sandbox: the seam between the resident agent and `docker exec`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, FileContent, FileEvent, FileInfo, ListOptions,
    MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, SandboxPath, Signal,
    WatchOptions, WriteOptions,
};

/// The part of a [`Sandbox`](sandbox_core::Sandbox) that happens inside it, by the same contract.
/// Whether the sandbox exists and runs has been checked before.
#[async_trait]
pub(crate) trait Channel: fmt::Debug + Send + Sync + 'static {
    /// Waits until what is inside answers, once, after the start.
    async fn ready(&self) -> Result<()>;
    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>>;
    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>>;
    async fn processes(&self) -> Result<Vec<ProcessInfo>>;
    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()>;
    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent>;
    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo>;
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo>;
    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>>;
    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool>;
    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()>;
    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()>;
    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>>;
    async fn connect(&self, port: u16) -> Result<BoxConnection>;
}
