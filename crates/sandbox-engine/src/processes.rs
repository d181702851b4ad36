//! Starting and finding processes that outlive their request.

use sandbox_core::{Command, Error, ErrorKind, Result, SandboxId};

use crate::access::Access;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::handle::summary;
use crate::process::{ProcessHandle, ProcessOptions, ProcessSelector};

impl Engine {
    /// Starts a process that goes on whether or not anybody listens. Its last output is kept (see
    /// [`EngineConfig::process_output`](crate::EngineConfig::process_output)), and it is found again
    /// after a restart where the runtime can
    /// [attach](sandbox_core::Capabilities::attach).
    ///
    /// # Errors
    /// As [`Sandbox::spawn`](sandbox_core::Sandbox::spawn); `Conflict` when the sandbox is paused
    /// and does not wake; `LimitExceeded` with field `processes` for one too many; `InvalidSpec`
    /// with field `tag`.
    pub async fn start_process(
        &self,
        id: &SandboxId,
        command: Command,
        options: ProcessOptions,
    ) -> Result<ProcessHandle> {
        self.access(id)?.start_process(command, options).await
    }

    /// The processes of a sandbox that the engine watches, or watched and still keeps; oldest
    /// first.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`.
    pub fn processes(&self, id: &SandboxId) -> Result<Vec<ProcessHandle>> {
        let access = self.access(id)?;
        let all = access.entry().processes.all().into_iter();
        Ok(all
            .map(|managed| ProcessHandle::new(managed, access.clone()))
            .collect())
    }

    /// One process of a sandbox.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id` or `process`.
    pub fn process(&self, id: &SandboxId, selector: &ProcessSelector) -> Result<ProcessHandle> {
        let access = self.access(id)?;
        match access.entry().processes.find(selector) {
            Some(managed) => Ok(ProcessHandle::new(managed, access)),
            None => Err(Error::new(
                ErrorKind::NotFound,
                "engine.process",
                "there is no such process",
            )
            .with_field("process")),
        }
    }
}

impl Access {
    async fn start_process(
        &self,
        command: Command,
        options: ProcessOptions,
    ) -> Result<ProcessHandle> {
        let summary = summary(&command);
        let (sandbox, _in_use) = self.enter().await?;
        let watch = self.watch();
        let started = self
            .entry()
            .processes
            .start(&sandbox, command, options, &watch);
        let (managed, pace) = started.await?;
        let handle = ProcessHandle::new(managed, self.clone()).held_by(pace);
        let pid = handle.pid();
        self.publish(EventKind::CommandExecuted {
            command: summary,
            pid,
        })
        .await;
        Ok(handle)
    }
}
