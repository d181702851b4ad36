//! What happens to sandboxes.

use sandbox_core::{Pid, SandboxId, SandboxPath, SnapshotId, TemplateName};
use serde::{Deserialize, Serialize};

use crate::sse::sse_events;
use crate::text::{is_on, on};
use crate::{EgressPolicy, ErrorBody, ErrorDetail, ExitStatus, Gap, SandboxFailure, Time, text};

/// Which events to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// From this number on; without it, and without `Last-Event-ID`, only what happens from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// About this sandbox; without it, about all of the caller's.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub sandbox_id: Option<SandboxId>,
    /// Whether to wait for what is yet to come; without it, the stream ends with what is there.
    /// Default: true.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub follow: bool,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self {
            from: None,
            sandbox_id: None,
            follow: true,
        }
    }
}

/// Which events of a sandbox to read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct SandboxEventQuery {
    /// From this number on; without it, and without `Last-Event-ID`, only what happens from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// What the stream of events says. The `id:` of an event is its number.
#[derive(Debug, Clone, PartialEq)]
pub enum EventStreamItem {
    /// Something happened.
    Event(Event),
    /// Events that are no longer kept; some of them may have been of no interest.
    Gap(Gap),
    /// The stream cannot go on, and ends.
    Error(ErrorBody),
}

sse_events!(EventStreamItem {
    Event = "event",
    Gap = "gap",
    Error = "error",
});

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its number: grows with every event, over restarts too.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// Which sandbox, where it is about one.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub sandbox_id: Option<SandboxId>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A sandbox was asked for.
    Created {
        /// The template it is made from.
        #[serde(default, with = "text::option")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        template: Option<TemplateName>,
    },
    /// A new sandbox runs.
    Running,
    /// It is suspended.
    Suspended,
    /// It runs again.
    Resumed,
    /// It is gone.
    Destroyed,
    /// It could not be made, or ended without being asked to.
    Failed {
        /// Why.
        failure: SandboxFailure,
    },
    /// An action on it failed; a destroy is tried again.
    ActionFailed {
        /// Which: `create`, `pause`, `resume` or `destroy`.
        action: String,
        /// Why.
        error: ErrorDetail,
    },
    /// A command was started in it.
    CommandExecuted {
        /// The command, its first 256 characters.
        command: String,
        /// Its process.
        pid: Pid,
    },
    /// A process that the server watches ended.
    ProcessExited {
        /// The process.
        process_id: String,
        /// Its id inside the sandbox.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// A file was written.
    FileWritten {
        /// Where.
        #[serde(with = "text")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        path: SandboxPath,
        /// Its size in bytes.
        size: u64,
    },
    /// A file or a directory was removed.
    FileRemoved {
        /// Where it was.
        #[serde(with = "text")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        path: SandboxPath,
    },
    /// A file or a directory was moved.
    FileMoved {
        /// Where it was.
        #[serde(with = "text")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        from: SandboxPath,
        /// Where it is.
        #[serde(with = "text")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        to: SandboxPath,
    },
    /// What it may connect to was replaced.
    EgressUpdated {
        /// By this.
        egress: EgressPolicy,
    },
    /// Its end was put elsewhere.
    TimeoutChanged {
        /// When it ends now; null while the clock stands still.
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// A snapshot of it was taken.
    SnapshotTaken {
        /// The snapshot.
        #[serde(with = "text")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
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
        #[serde(default)]
        pid: Option<Pid>,
    },
    /// Something that this version does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}
