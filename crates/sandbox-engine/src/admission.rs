//! Who may have another sandbox.

use std::fmt;

use async_trait::async_trait;
use sandbox_core::{Result, SandboxId, SandboxSpec};
use tokio::sync::watch;

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

    /// How many seconds the sandboxes of `owner` may run in a calendar month; `None`: no limit. The
    /// engine asks before every sandbox, counts the time itself, and when it is used up stops what
    /// runs: it pauses what the runtime can pause, destroys the rest, and lets nothing run again
    /// before the month ends or the answer is another one. Default: no limit.
    ///
    /// # Errors
    /// `NotFound` for an owner that may have no sandbox.
    async fn compute_seconds_per_month(&self, owner: &OwnerId) -> Result<Option<u64>> {
        let _any = owner;
        Ok(None)
    }

    /// Changes whenever [`compute_seconds_per_month`](Self::compute_seconds_per_month) may have
    /// another answer for somebody. Default: never.
    fn allowance_changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }

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
