//! Snapshots and whose they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sandbox_core::{
    Error, ErrorKind, Result, RuntimeName, Sandbox, SandboxId, SnapshotId, Source, Timestamp,
};

use crate::access::Access;
use crate::core::{Core, shutting_down};
use crate::events::EventKind;
use crate::gate::InUse;
use crate::lock::Locked;
use crate::slot::Slot;
use crate::{CreateRequest, Engine, OwnerId};

/// A snapshot that was taken through the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// Its id, which its runtime gave.
    pub id: SnapshotId,
    /// Whose it is: the owner of the sandbox it was taken of.
    pub owner: OwnerId,
    /// The runtime that has it; no other can make sandboxes from it.
    pub runtime: RuntimeName,
    /// The sandbox it was taken of, which may be gone.
    pub sandbox: SandboxId,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// How many snapshots of each owner are being taken, so that those who race for the last place do
/// not all have it.
#[derive(Debug, Default)]
pub(crate) struct OnTheirWay(Mutex<HashMap<OwnerId, usize>>);

/// The place of one snapshot on its way.
struct Place {
    core: Arc<Core>,
    owner: OwnerId,
}

impl Place {
    /// Takes a place before it counts what is there: of two who race, one sees the other.
    async fn take(core: &Arc<Core>, owner: &OwnerId) -> Result<Self> {
        let on_their_way = {
            let mut counts = core.snapshots.0.locked();
            let count = counts.entry(owner.clone()).or_default();
            *count += 1;
            *count
        };
        let place = Self {
            core: Arc::clone(core),
            owner: owner.clone(),
        };
        let kept = core.store.snapshots(owner, None).await?.len();
        let max = core.config.max_snapshots;
        if kept + on_their_way > max {
            let message = format!("an owner keeps at most {max} snapshots: remove one first");
            let error = Error::new(ErrorKind::LimitExceeded, "engine.snapshot", message);
            return Err(error.with_field("snapshots"));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.core.snapshots.0.locked();
        if let Some(count) = counts.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.owner);
            }
        }
    }
}

impl Access {
    /// Takes a snapshot and writes down whose it is. From the moment the runtime is asked it goes
    /// on when the future is dropped: a caller who leaves gets no snapshot that nobody counts.
    pub(crate) async fn snapshot(&self) -> Result<SnapshotId> {
        let core = Arc::clone(self.core());
        core.check_open()?;
        let place = Place::take(&core, &self.entry().owner).await?;
        let (sandbox, in_use) = self.enter().await?;
        let (access, kill) = (self.clone(), core.kill.clone());
        let task = core.tasks.spawn(async move {
            tokio::select! {
                taken = access.take_snapshot(sandbox, place, in_use) => taken,
                () = kill.cancelled() => Err(shutting_down()),
            }
        });
        task.await.unwrap_or_else(|e| {
            let message = "taking the snapshot ended early";
            Err(Error::new(ErrorKind::Internal, "engine.snapshot", message).with_source(e))
        })
    }

    async fn take_snapshot(
        &self,
        sandbox: Arc<dyn Sandbox>,
        _place: Place,
        _in_use: InUse,
    ) -> Result<SnapshotId> {
        let core = self.core();
        let limit = core.config.snapshot_timeout;
        let id = core
            .bounded("engine.snapshot", limit, sandbox.snapshot())
            .await?;
        let record = SnapshotRecord {
            id: id.clone(),
            owner: self.entry().owner.clone(),
            runtime: self.entry().slot.name.clone(),
            sandbox: self.entry().id().clone(),
            created_at: core.clock.now(),
        };
        if let Err(error) = core.store.add_snapshot(&record).await {
            discard(&self.entry().slot, &id, &error).await;
            return Err(error);
        }
        let snapshot = id.clone();
        self.publish(EventKind::SnapshotTaken { snapshot }).await;
        Ok(id)
    }
}

/// Removes a snapshot that could not be written down.
async fn discard(slot: &Slot, id: &SnapshotId, error: &Error) {
    // The runtime gave an id twice: what it names belongs to whoever had it first.
    if error.kind() == ErrorKind::Conflict {
        return;
    }
    if let Err(error) = slot.runtime.remove_snapshot(id).await {
        tracing::warn!(%error, snapshot = %id, "a snapshot that nobody owns stays with its runtime");
    }
}

/// Refuses a request for a sandbox from a snapshot that is not its owner's, or that another runtime
/// has. A template's snapshot is the operator's, for everybody who may use the template.
pub(crate) async fn check_source(
    core: &Core,
    request: &CreateRequest,
    runtime: &RuntimeName,
) -> Result<()> {
    let Some(Source::Snapshot(id)) = &request.source else {
        return Ok(());
    };
    let owned = core.store.snapshots(&request.owner, Some(id)).await?;
    match owned.iter().any(|record| record.runtime == *runtime) {
        true => Ok(()),
        false => Err(not_found("engine.create", id)),
    }
}

/// The one answer for a snapshot that does not exist and for one of somebody else.
fn not_found(operation: &'static str, id: &SnapshotId) -> Error {
    let message = format!("there is no snapshot {id}");
    Error::new(ErrorKind::NotFound, operation, message).with_field("source.snapshot")
}

impl Engine {
    /// Keeps the file system of a sandbox as it is now. The snapshot belongs to the sandbox's owner,
    /// who alone makes sandboxes from it, on the same runtime, and removes it.
    ///
    /// It is written down before this returns, and goes on when the future is dropped. When the
    /// process dies after the runtime took it and before that, the runtime keeps a snapshot that
    /// belongs to nobody: no owner can use it, and only the operator removes it, with the runtime.
    ///
    /// # Errors
    /// As [`Sandbox::snapshot`](sandbox_core::Sandbox::snapshot); `LimitExceeded` with field
    /// `snapshots` when the owner has [`max_snapshots`](crate::EngineConfig::max_snapshots),
    /// counting those on their way; `Timeout` after
    /// [`snapshot_timeout`](crate::EngineConfig::snapshot_timeout).
    pub async fn snapshot(&self, id: &SandboxId) -> Result<SnapshotId> {
        self.access(id)?.snapshot().await
    }

    /// The snapshots of `owner`, newest first: at most
    /// [`max_snapshots`](crate::EngineConfig::max_snapshots).
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn snapshots(&self, owner: &OwnerId) -> Result<Vec<SnapshotRecord>> {
        self.core.store.snapshots(owner, None).await
    }

    /// A snapshot of `owner`.
    ///
    /// # Errors
    /// `NotFound` with field `source.snapshot` when there is none, or it is somebody else's.
    pub async fn snapshot_of(&self, owner: &OwnerId, id: &SnapshotId) -> Result<SnapshotRecord> {
        let owned = self.core.store.snapshots(owner, Some(id)).await?;
        let record = owned.into_iter().next();
        record.ok_or_else(|| not_found("engine.snapshot_of", id))
    }

    /// Removes a snapshot of `owner` from its runtime.
    ///
    /// # Errors
    /// `NotFound` with field `source.snapshot` when there is none, also when it was removed before
    /// or is somebody else's; what the runtime fails with, and it stays.
    pub async fn remove_snapshot(&self, owner: &OwnerId, id: &SnapshotId) -> Result<()> {
        self.core.check_open()?;
        let record = self.snapshot_of(owner, id).await?;
        let runtime = &self.slot(&record.runtime)?.runtime;
        match runtime.remove_snapshot(id).await {
            // An earlier try got that far, or the operator removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
        self.core.store.remove_snapshot(&record.runtime, id).await
    }
}
