//! What makes sandboxes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    BoxStream, Capabilities, Pid, Result, Sandbox, SandboxId, SandboxSpec, SnapshotId, Source,
};

/// Makes sandboxes and finds them again.
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// What works here. It does not change while the runtime lives.
    fn capabilities(&self) -> &Capabilities;

    /// Makes and starts a sandbox. Its egress policy is in force before anything of the sandbox
    /// runs. When it fails, or this future is dropped, nothing stays behind, or
    /// [`recover`](Self::recover) reports what does.
    ///
    /// # Errors
    /// `Unsupported` or `LimitExceeded` naming the field when `spec` asks for more than
    /// [`capabilities`](Self::capabilities) reports; `NotFound` with field `image` or
    /// `source.snapshot` when there is no such thing; `Conflict` with field `id` when a sandbox
    /// has this id; `Unavailable` when the backend, or a registry, does not answer.
    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>>;

    /// Makes `source` ready, so that the next [`create`](Self::create) does not wait for it. The
    /// stream says how far it is and ends when it is done, or with the error.
    ///
    /// # Errors
    /// As [`create`](Self::create), for the source.
    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>>;

    /// Every sandbox of this runtime that exists now, whoever made it and in whatever state.
    async fn recover(&self) -> Result<Vec<Recovered>>;

    /// Removes a snapshot. Sandboxes made from it are not affected.
    ///
    /// # Errors
    /// `NotFound` with field `snapshot`.
    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()>;

    /// What happens to sandboxes from now on, without anybody having asked for it.
    fn events(&self) -> BoxStream<RuntimeEvent>;

    /// Whether the backend answers, and what it is.
    ///
    /// # Errors
    /// `Unavailable`, with what to do about it in the message.
    async fn health(&self) -> Result<Health>;
}

/// A sandbox that exists, as [`Runtime::recover`] found it.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Its id.
    pub id: SandboxId,
    /// The state it is in.
    pub state: RecoveredState,
    /// The sandbox; also for one that is broken, so that it can be destroyed.
    pub sandbox: Arc<dyn Sandbox>,
}

/// The state in which a sandbox was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveredState {
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It was never made whole, or its first process is gone: good only for destroying.
    Broken,
}

/// Something that happened to a sandbox, or to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeEvent {
    /// The sandbox ended by itself, or somebody else ended it.
    Exited(SandboxId),
    /// The memory limit was reached and something was killed.
    OutOfMemory {
        /// The sandbox.
        id: SandboxId,
        /// The process that was killed, where known.
        pid: Option<Pid>,
        /// Whether the sandbox as a whole is gone.
        fatal: bool,
    },
    /// The egress policy stopped something.
    EgressDenied {
        /// The sandbox.
        id: SandboxId,
        /// How many packets or connects since the last event.
        count: u64,
    },
    /// The backend stopped answering; sandboxes may or may not live.
    BackendLost,
    /// The backend answers again: events may have been missed, so [`Runtime::recover`].
    BackendBack,
}

/// How far making a [`Source`] ready has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, for a person.
    pub message: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, once known.
    pub total: Option<u64>,
}

/// A backend that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The backend and its version, for a person.
    pub version: String,
    /// What works less well than it could here, and what to do about it, a line each.
    pub notes: Vec<String>,
}
