//! A client's handle on one fake sandbox.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, Sandbox,
    SandboxId, SandboxPath, SandboxSpec, Signal, SnapshotId, Stats, WatchOptions, WriteOptions,
};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::faults::Call;
use super::file_api;
use super::kernel::{INIT, Kernel};
use super::runtime::Client;

#[derive(Debug)]
pub(crate) struct FakeSandbox {
    client: Client,
    spec: SandboxSpec,
}

impl FakeSandbox {
    pub(crate) fn new(client: Client, spec: SandboxSpec) -> Self {
        Self { client, spec }
    }

    /// A call that works on a paused sandbox too.
    async fn call<T, F>(&self, call: Call, effect: impl FnOnce(Arc<Kernel>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let work = async {
            let kernel = self.client.shared().kernel(self.id(), call.as_str())?;
            effect(kernel).await
        };
        self.client.call(call, Some(self.id()), work).await
    }

    /// A call that needs the sandbox to run.
    async fn call_running<T, F>(
        &self,
        call: Call,
        effect: impl FnOnce(Arc<Kernel>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call(call, |kernel| async move {
            if kernel.is_frozen() {
                let message = format!("{} is paused; resume it first", kernel.spec.id());
                return Err(Error::new(ErrorKind::Conflict, call.as_str(), message));
            }
            effect(kernel).await
        })
        .await
    }
}

fn no_process(operation: &'static str, pid: Pid) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        format!("there is no process {pid}"),
    )
    .with_field("pid")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Sandbox for FakeSandbox {
    fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        self.call_running(Call::Spawn, |kernel| async move { kernel.spawn(&command) })
            .await
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        self.call_running(Call::Attach, |kernel| async move {
            kernel
                .attach(pid)
                .ok_or_else(|| no_process(Call::Attach.as_str(), pid))
        })
        .await
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.call_running(
            Call::Processes,
            |kernel| async move { Ok(kernel.processes()) },
        )
        .await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        const OPERATION: &str = Call::Signal.as_str();
        self.call_running(Call::Signal, |kernel| async move {
            if pid == INIT {
                let message = "is the sandbox's own first process";
                return Err(
                    Error::new(ErrorKind::PermissionDenied, OPERATION, message).with_field("pid")
                );
            }
            let reached = kernel.signal_one(pid, signal);
            reached
                .then_some(())
                .ok_or_else(|| no_process(OPERATION, pid))
        })
        .await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        self.call_running(Call::Read, |kernel| async move {
            file_api::read(&kernel, path, options)
        })
        .await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        self.call_running(Call::Write, |kernel| async move {
            file_api::write(&kernel, path, body, &options).await
        })
        .await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.call_running(
            Call::Stat,
            |kernel| async move { file_api::stat(&kernel, path) },
        )
        .await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        self.call_running(Call::List, |kernel| async move {
            file_api::list(&kernel, path, options)
        })
        .await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        self.call_running(Call::MakeDir, |kernel| async move {
            file_api::make_dir(&kernel, path, &options)
        })
        .await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        self.call_running(Call::Rename, |kernel| async move {
            file_api::rename(&kernel, from, to)
        })
        .await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        self.call_running(Call::Remove, |kernel| async move {
            file_api::remove(&kernel, path, recursive)
        })
        .await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        self.call_running(Call::Watch, |kernel| async move {
            file_api::watch(&kernel, path, options)
        })
        .await
    }

    async fn pause(&self) -> Result<()> {
        self.call(Call::Pause, |kernel| async move {
            kernel.set_frozen(true);
            Ok(())
        })
        .await
    }

    async fn resume(&self) -> Result<()> {
        self.call(Call::Resume, |kernel| async move {
            kernel.set_frozen(false);
            Ok(())
        })
        .await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        self.call(Call::SetEgress, |kernel| async move {
            kernel.set_egress(rules.clone());
            Ok(())
        })
        .await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.call_running(Call::Connect, |kernel| async move {
            let stream = kernel.connect(port).map_err(|error| {
                let message = format!("nothing listens on port {port}: {error}");
                Error::new(ErrorKind::Unavailable, Call::Connect.as_str(), message)
                    .with_field("port")
            })?;
            Ok(Box::new(stream.compat()) as BoxConnection)
        })
        .await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.call_running(Call::Snapshot, |kernel| async move {
            self.client.shared().snapshot(&kernel)
        })
        .await
    }

    async fn stats(&self) -> Result<Stats> {
        self.call(Call::Stats, |kernel| async move { Ok(kernel.stats()) })
            .await
    }

    async fn destroy(&self) -> Result<()> {
        let destroyed = async {
            self.client.shared().destroy(self.id());
            Ok(())
        };
        self.client
            .call(Call::Destroy, Some(self.id()), destroyed)
            .await
    }
}
