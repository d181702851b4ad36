//! What `run` needs of whoever makes sandboxes, here or on a server.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{BoxStream, Command, Process, Progress, Result, SandboxId};

use crate::args::MakeArgs;

/// Makes sandboxes that its user removes.
#[async_trait]
pub(crate) trait Maker: Send + Sync {
    /// Makes what the sandbox is made from ready; the stream says how far it is.
    async fn prepare(&self, args: &MakeArgs) -> Result<BoxStream<Result<Progress>>>;

    /// Makes the sandbox `id` and waits until it runs.
    async fn create(&self, id: &SandboxId, args: &MakeArgs) -> Result<()>;

    /// Starts a command in the sandbox `id`.
    async fn spawn(&self, id: &SandboxId, command: Command) -> Result<Arc<dyn Process>>;

    /// Removes the sandbox `id`, also one that is still being made. One that never was is no
    /// error.
    async fn remove(&self, id: &SandboxId) -> Result<()>;

    /// Ends what was begun to make sandboxes.
    async fn close(&mut self);
}
