//! What the engine knows of a sandbox, as a value.

use std::sync::Arc;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Failure, Lifecycle, State};
use sandbox_core::{RuntimeName, SandboxId, SandboxSpec, Timestamp};

use crate::OwnerId;
use crate::store::StoredSandbox;

/// A sandbox as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SandboxRecord {
    /// The order in which sandboxes were asked for.
    pub seq: u64,
    /// Whose it is.
    pub owner: OwnerId,
    /// The runtime that has it.
    pub runtime: RuntimeName,
    /// What it was made from. What it may connect to now is in [`egress`](Self::egress).
    pub spec: Arc<SandboxSpec>,
    /// What it may connect to.
    pub egress: Arc<EgressRules>,
    /// Its life: its state, its end, its usage.
    pub lifecycle: Lifecycle,
    /// Whether its runtime answers. While it does not, the state is the last one known.
    pub available: bool,
    pub(crate) accounted_ms: u64,
}

impl SandboxRecord {
    pub(crate) fn from_stored(stored: &StoredSandbox, available: bool) -> Self {
        Self {
            seq: stored.seq,
            owner: stored.owner.clone(),
            runtime: stored.runtime.clone(),
            spec: Arc::clone(&stored.spec),
            egress: Arc::new(stored.egress.clone()),
            lifecycle: stored.lifecycle.clone(),
            available,
            accounted_ms: stored.accounted_ms,
        }
    }

    /// Its id.
    pub fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.lifecycle.state()
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.lifecycle.failure()
    }

    /// When it was asked for.
    pub fn created_at(&self) -> Timestamp {
        self.lifecycle.created_at()
    }

    /// When its time to live ends; see [`Lifecycle::expires_at`].
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.lifecycle.expires_at()
    }

    /// How long it has run at `now`, in seconds, rounded up.
    pub fn usage_seconds(&self, now: Timestamp) -> u64 {
        self.lifecycle.usage_seconds(now)
    }
}
