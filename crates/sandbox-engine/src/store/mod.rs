//! What is kept: sandboxes, events, processes, snapshots' owners and usage.
//!
//! The engine writes every transition here before the action that follows from it starts, so that
//! a process that dies at any instant leaves a record of whatever it may have begun.

mod memory;
mod row;
mod share;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId, SnapshotId, Timestamp};
use tokio::sync::watch;

pub use memory::MemoryStore;
pub use row::{StoredProcess, StoredSandbox, StoredStart};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStore, Synchronous};

use crate::events::{Event, NewEvent};
use crate::owners::Month;
use crate::process::ProcessId;
use crate::{OwnerId, SnapshotRecord};

/// Everything that is written with one step of one sandbox: all of it, or nothing.
#[derive(Debug, Clone)]
pub struct Change {
    /// The sandbox as it is now.
    pub sandbox: StoredSandbox,
    /// Time it ran since the last change, in milliseconds by month.
    pub usage: Vec<(Month, u64)>,
    /// What happened, to be numbered in this order.
    pub events: Vec<NewEvent>,
}

/// Which events to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this owner; without one, of all.
    pub owner: Option<OwnerId>,
    /// About this sandbox; without one, about all.
    pub sandbox: Option<SandboxId>,
    /// The number of the first event of interest.
    pub from: u64,
    /// The most events to answer.
    pub limit: usize,
}

/// A part of the stream of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// Events that match, in order.
    pub events: Vec<Event>,
    /// Where to go on: everything before it was looked at.
    pub next: u64,
    /// From this number on everything that matches is kept; what comes before may have holes.
    pub first_kept: u64,
}

/// Which destroyed sandboxes to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyedQuery {
    /// Of this owner; without one, of all.
    pub owner: Option<OwnerId>,
    /// Only those with a smaller [`StoredSandbox::seq`].
    pub before: u64,
    /// The most to answer.
    pub limit: usize,
}

/// What to throw away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Sandboxes destroyed before this time go.
    pub destroyed_before: Timestamp,
    /// The most destroyed sandboxes to keep; those destroyed first go first.
    pub max_destroyed: u64,
    /// The most events to keep. The oldest go first, of those owners that have more than an equal
    /// share: one that writes much pushes out nobody else's.
    pub max_events: u64,
}

/// What an engine starts from.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Every sandbox that is not destroyed.
    pub sandboxes: Vec<StoredSandbox>,
    /// Every process kept, of these sandboxes.
    pub processes: Vec<StoredProcess>,
    /// The largest [`StoredSandbox::seq`] ever used.
    pub last_seq: u64,
    /// What could not be read, now or at an earlier start, and is set aside.
    pub quarantined: Vec<Quarantined>,
}

/// A row that could not be read and was set aside as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Its number among those set aside; never used again.
    pub number: u64,
    /// What it is about.
    pub row: QuarantinedRow,
    /// The sandbox it names, where that can be read.
    pub sandbox: Option<SandboxId>,
    /// The runtime it names, where that can be read. A process names none.
    pub runtime: Option<RuntimeName>,
    /// Why it cannot be read.
    pub reason: String,
    /// When it was set aside.
    pub at: Timestamp,
}

/// What a row that was set aside is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantinedRow {
    /// A sandbox.
    Sandbox,
    /// A process of a sandbox.
    Process,
}

/// How long one sandbox ran in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The sandbox; `None` for the sum over those no longer kept, in whole seconds each.
    pub sandbox: Option<SandboxId>,
    /// Milliseconds.
    pub millis: u64,
}

/// Keeps what must survive.
///
/// Every method is atomic and, when it returns `Ok`, durable as far as the store promises. A future
/// that is dropped may or may not have written.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What there is. A row that cannot be read stops nobody: it is set aside, and stays so.
    async fn load(&self) -> Result<Loaded>;

    /// Throws a row away that was set aside. Idempotent.
    async fn discard_quarantined(&self, number: u64) -> Result<()>;

    /// Writes one step. The events become visible, in order, before this returns.
    async fn save(&self, change: Change) -> Result<()>;

    /// Writes events that belong to no step. It returns when they are on their way, later when the
    /// store is behind; they may be lost when the process dies.
    async fn append(&self, events: Vec<NewEvent>) -> Result<()>;

    /// A part of the stream of events.
    async fn events(&self, query: &EventQuery) -> Result<EventPage>;

    /// The number of the last visible event, and every change of it; closed with the store.
    fn committed(&self) -> watch::Receiver<u64>;

    /// A destroyed sandbox, while it is kept.
    async fn destroyed(&self, id: &SandboxId) -> Result<Option<StoredSandbox>>;

    /// Destroyed sandboxes, newest first.
    async fn list_destroyed(&self, query: &DestroyedQuery) -> Result<Vec<StoredSandbox>>;

    /// Writes, or replaces, a process.
    async fn save_process(&self, process: &StoredProcess) -> Result<()>;

    /// Removes a process. Idempotent.
    async fn remove_process(&self, id: &ProcessId) -> Result<()>;

    /// How long each sandbox of `owner` ran in `month`.
    async fn usage(&self, owner: &OwnerId, month: Month) -> Result<Vec<UsageRow>>;

    /// Writes down a snapshot and whose it is.
    ///
    /// # Errors
    /// `Conflict` with field `snapshot` when its runtime has one of this id already; that one stays
    /// as it is.
    async fn add_snapshot(&self, snapshot: &SnapshotRecord) -> Result<()>;

    /// The snapshots of `owner`, those written last first; with an `id`, only those that have it,
    /// one of each runtime at most.
    async fn snapshots(
        &self,
        owner: &OwnerId,
        id: Option<&SnapshotId>,
    ) -> Result<Vec<SnapshotRecord>>;

    /// Forgets the snapshot `id` of `runtime`. Idempotent.
    async fn remove_snapshot(&self, runtime: &RuntimeName, id: &SnapshotId) -> Result<()>;

    /// Throws away what is too old. Usage stays: that of sandboxes which go is added up.
    async fn purge(&self, retention: Retention) -> Result<()>;

    /// Writes what is on its way and lets go of everything. Later calls fail with `Unavailable`.
    async fn close(&self);
}

/// A runtime gave an id that is in use.
fn taken_snapshot(record: &SnapshotRecord) -> Error {
    let message = format!("{} has a snapshot {} already", record.runtime, record.id);
    Error::new(ErrorKind::Conflict, "store.write", message).with_field("snapshot")
}
