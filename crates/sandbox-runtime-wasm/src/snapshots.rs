//! Snapshots by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result, SnapshotId};

use crate::lock::Lock;
use crate::origin::Origin;
use crate::random;

/// The snapshots of a runtime. They share what they have in common with each other and with
/// sandboxes, and stay until they are removed.
#[derive(Debug)]
pub(crate) struct Snapshots {
    kept: Lock<HashMap<SnapshotId, Arc<Origin>>>,
    max: usize,
}

impl Snapshots {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            kept: Lock::default(),
            max,
        }
    }

    /// Keeps a snapshot under a new id.
    ///
    /// # Errors
    /// `LimitExceeded` with field `snapshot` when there are as many as there may be.
    pub(crate) fn keep(&self, origin: Origin) -> Result<SnapshotId> {
        let id = SnapshotId::from_random(random::bytes()?);
        let mut kept = self.kept.lock();
        if kept.len() >= self.max {
            let message = format!(
                "there are {} snapshots; the limit is {}",
                kept.len(),
                self.max
            );
            return Err(
                Error::new(ErrorKind::LimitExceeded, "wasm.snapshot", message)
                    .with_field("snapshot"),
            );
        }
        kept.insert(id.clone(), Arc::new(origin));
        Ok(id)
    }

    /// The snapshot `id`.
    ///
    /// # Errors
    /// `NotFound` with field `source.snapshot`.
    pub(crate) fn get(&self, id: &SnapshotId) -> Result<Arc<Origin>> {
        let found = self.kept.lock().get(id).cloned();
        found.ok_or_else(|| missing("wasm.create", "source.snapshot", id))
    }

    /// Forgets the snapshot `id`.
    ///
    /// # Errors
    /// `NotFound` with field `snapshot`.
    pub(crate) fn remove(&self, id: &SnapshotId) -> Result<()> {
        let removed = self.kept.lock().remove(id);
        // Freeing a tree takes a while: not under the lock.
        removed
            .map(drop)
            .ok_or_else(|| missing("wasm.remove_snapshot", "snapshot", id))
    }
}

fn missing(operation: &'static str, field: &'static str, id: &SnapshotId) -> Error {
    let message = format!("there is no snapshot {id}");
    Error::new(ErrorKind::NotFound, operation, message).with_field(field)
}
