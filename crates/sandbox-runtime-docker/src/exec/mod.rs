//! The fallback: commands and files through `docker exec` and the image's own shell.
//!
//! A `docker exec` cannot be signalled, and drops the output of children that outlive it, so what
//! would need that is not offered: the runtime's capabilities say so and the guard refuses it.

mod files;
mod process;
mod record;
mod scripts;
mod session;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, FileContent, FileEvent, FileInfo,
    ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, SandboxPath,
    Signal, WatchOptions, WriteOptions,
};

use crate::channel::Channel;
use crate::context::Context;

pub(crate) use session::Session;

/// A sandbox reached through `docker exec`.
#[derive(Debug)]
pub(crate) struct ExecChannel {
    session: Session,
    context: Context,
}

impl ExecChannel {
    pub(crate) fn new(session: Session, context: Context) -> Self {
        Self { session, context }
    }
}

fn not_here(field: &'static str, what: &str) -> Error {
    let message = format!("{what} needs the resident agent, which this sandbox does not have");
    Error::unsupported("docker.exec", field, message)
}

#[async_trait]
impl Channel for ExecChannel {
    async fn ready(&self) -> Result<()> {
        // Each exec stands alone; one that cannot start says so itself.
        Ok(())
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        process::spawn(&self.session, &self.context, command).await
    }

    async fn attach(&self, _pid: Pid) -> Result<Arc<dyn Process>> {
        Err(not_here("pid", "attaching"))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        Err(not_here("processes", "a list of processes"))
    }

    async fn signal(&self, _pid: Pid, _signal: Signal) -> Result<()> {
        Err(not_here("signal", "a signal"))
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        files::read(&self.session, path, options).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        writing::write(&self.session, &self.context, path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        files::stat(&self.session, path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        files::list(&self.session, path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        files::make_dir(&self.session, &self.context, path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        files::rename(&self.session, from, to).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        files::remove(&self.session, path, recursive).await
    }

    async fn watch(
        &self,
        _path: &SandboxPath,
        _options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        Err(not_here("path", "watching files"))
    }

    async fn connect(&self, _port: u16) -> Result<BoxConnection> {
        Err(not_here("port", "a connection to a port"))
    }
}
