//! The events themselves.

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{ActionError, ActionKind, Failure};
use sandbox_core::{ExitStatus, Pid, SandboxId, SandboxPath, SnapshotId, TemplateName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::OwnerId;
use crate::process::ProcessId;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: grows by one with every event of the engine, over restarts too; the first is 1.
    pub seq: u64,
    /// What happened, when, and to what.
    #[serde(flatten)]
    pub event: NewEvent,
}

/// An event that has no number yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub owner: OwnerId,
    /// Which sandbox, where it is about one.
    pub sandbox: Option<SandboxId>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A sandbox was asked for.
    Created {
        /// The template it is made from.
        template: Option<TemplateName>,
    },
    /// A new sandbox runs.
    Running,
    /// It is paused.
    Paused,
    /// It runs again.
    Resumed,
    /// It is gone.
    Destroyed,
    /// It could not be made, or ended without being asked to.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// An action on it failed; a destroy is tried again.
    ActionFailed {
        /// Which.
        action: ActionKind,
        /// Why.
        error: ActionError,
    },
    /// A command was started in it.
    CommandExecuted {
        /// The command, its first 256 characters.
        command: String,
        /// Its process.
        pid: Pid,
    },
    /// A process that the engine watches ended.
    ProcessExited {
        /// The process.
        process: ProcessId,
        /// Its id inside the sandbox.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// A file was written.
    FileWritten {
        /// Where.
        path: SandboxPath,
        /// Its size in bytes.
        size: u64,
    },
    /// A file or a directory was removed.
    FileRemoved {
        /// Where it was.
        path: SandboxPath,
    },
    /// A file or a directory was moved.
    FileMoved {
        /// Where it was.
        from: SandboxPath,
        /// Where it is.
        to: SandboxPath,
    },
    /// What it may connect to was replaced.
    EgressUpdated {
        /// By this.
        rules: EgressRules,
    },
    /// Its end was put elsewhere.
    TimeoutChanged {
        /// When it ends now; `None` while the clock stands still.
        expires_at: Option<Timestamp>,
    },
    /// A snapshot of it was taken.
    SnapshotTaken {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// It tried what it may not: connections that its egress policy stopped.
    PermissionViolated {
        /// Packets or connects since the last such event.
        count: u64,
    },
    /// A limit was reached.
    LimitExceeded {
        /// The field of the limit, such as `resources.memory`.
        field: String,
        /// For a person.
        message: String,
        /// The process that was stopped by it, where one was.
        pid: Option<Pid>,
    },
}
