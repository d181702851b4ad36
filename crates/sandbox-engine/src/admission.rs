//! Who may have another sandbox.

use std::fmt;

use async_trait::async_trait;
use sandbox_core::{Result, SandboxId, SandboxSpec};

use crate::OwnerId;

/// Decides whether an owner may have another sandbox, and keeps count. Quotas plug in here.
#[async_trait]
pub trait Admission: fmt::Debug + Send + Sync + 'static {
    /// Takes the share of a sandbox before anything of it exists. Atomic: of two requests for the
    /// last share one is refused. When the future is dropped, nothing was taken.
    ///
    /// # Errors
    /// `LimitExceeded` naming the quota.
    async fn admit(&self, owner: &OwnerId, spec: &SandboxSpec) -> Result<()>;

    /// Takes the share of a sandbox that exists, when the engine starts.
    fn restore(&self, owner: &OwnerId, spec: &SandboxSpec);

    /// Gives a share back: the runtime holds nothing of the sandbox any more. Called once for each
    /// that was admitted or restored.
    fn release(&self, owner: &OwnerId, id: &SandboxId);
}

/// Admits everybody.
#[derive(Debug, Default, Clone, Copy)]
pub struct Unlimited;

#[async_trait]
impl Admission for Unlimited {
    async fn admit(&self, _owner: &OwnerId, _spec: &SandboxSpec) -> Result<()> {
        Ok(())
    }

    fn restore(&self, _owner: &OwnerId, _spec: &SandboxSpec) {}

    fn release(&self, _owner: &OwnerId, _id: &SandboxId) {}
}
