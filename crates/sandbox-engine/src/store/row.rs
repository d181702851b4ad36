//! What is kept of a sandbox and of a process.

use std::sync::Arc;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Lifecycle, State};
use sandbox_core::{Command, ExitStatus, Pid, RuntimeName, SandboxId, SandboxSpec, Timestamp};
use serde::{Deserialize, Serialize};

use crate::OwnerId;
use crate::process::ProcessId;

/// A sandbox as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSandbox {
    /// The order in which sandboxes were asked for; never used again.
    pub seq: u64,
    /// Whose it is.
    pub owner: OwnerId,
    /// The runtime that has it.
    pub runtime: RuntimeName,
    /// What it was made from.
    pub spec: Arc<SandboxSpec>,
    /// What it may connect to now.
    pub egress: EgressRules,
    /// Whether the runtime confirmed `egress`; if not, it is set again.
    pub egress_applied: bool,
    /// Its life.
    pub lifecycle: Lifecycle,
    /// How many milliseconds of its life are in the usage by month.
    pub accounted_ms: u64,
    /// The command that is started when it has been made; `None` once it is started.
    pub start: Option<StoredStart>,
}

/// The command that a new sandbox starts, and how far that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredStart {
    /// The command.
    pub command: Command,
    /// Whether it may have been started: set before it is.
    pub begun: bool,
}

impl StoredStart {
    /// A command that is yet to be started.
    pub fn new(command: Command) -> Self {
        Self {
            command,
            begun: false,
        }
    }
}

impl StoredSandbox {
    /// Its id.
    pub fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    /// When it was destroyed, if it is.
    pub fn destroyed_at(&self) -> Option<Timestamp> {
        (self.lifecycle.state() == State::Destroyed).then(|| self.lifecycle.state_since())
    }
}

/// A process that outlives the request that started it, as it is kept. Its output is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredProcess {
    /// Its id.
    pub id: ProcessId,
    /// The sandbox it runs in.
    pub sandbox: SandboxId,
    /// Its id inside the sandbox.
    pub pid: Pid,
    /// What it runs.
    pub command: Command,
    /// The caller's name for it.
    pub tag: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// How many times it has been taken up; numbers of its output grow with it.
    pub takes: u32,
    /// When and how it ended.
    pub ended: Option<(Timestamp, ExitStatus)>,
}
