//! What can be said to a driver.

use std::sync::Arc;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Observation, Request};
use sandbox_core::{Pid, RecoveredState, Result, Sandbox};
use tokio::sync::oneshot;

use crate::SandboxRecord;

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Arc<SandboxRecord>>>;

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    Running,
    Paused,
    Destroyed,
}

/// Something for a driver to take in.
#[derive(Debug)]
pub(crate) enum Message {
    /// Somebody wants something, and perhaps to wait until it is so.
    Request {
        request: Request,
        goal: Option<Goal>,
        reply: Reply,
    },
    /// Somebody wants other rules.
    SetEgress { rules: EgressRules, reply: Reply },
    /// It was used; the time is in the gate.
    Used,
    /// The runtime saw something.
    Observed(Observation),
    /// The memory limit was reached, and the sandbox lives on.
    OutOfMemory(Option<Pid>),
    /// The egress policy stopped something.
    EgressDenied(u64),
    /// The owner has used up its compute seconds of this month; what to tell.
    UsedUp(String),
    /// The runtime went away, or is back.
    Backend { available: bool },
    /// What the runtime has of it, according to a look that began when the epoch was `epoch`.
    Match {
        found: Option<(RecoveredState, Arc<dyn Sandbox>)>,
        epoch: u64,
        /// Whether it was of use: `false` when something was being done meanwhile.
        done: oneshot::Sender<bool>,
    },
}
