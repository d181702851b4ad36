//! Every living sandbox, by id and by owner.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId};

use crate::OwnerId;
use crate::entry::Entry;
use crate::lock::Shared;

/// Living sandboxes in the order in which they were asked for.
type InOrder = BTreeMap<u64, Arc<Entry>>;

#[derive(Debug, Default)]
pub(crate) struct Registry(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<SandboxId, Arc<Entry>>,
    by_owner: HashMap<OwnerId, InOrder>,
    all: InOrder,
}

impl Registry {
    /// Adds a sandbox.
    ///
    /// # Errors
    /// `Conflict` with field `id` when there is one with this id.
    pub(crate) fn insert(&self, entry: &Arc<Entry>) -> Result<()> {
        let mut index = self.0.writing();
        if index.by_id.contains_key(entry.id()) {
            return Err(taken(entry.id()));
        }
        index.by_id.insert(entry.id().clone(), Arc::clone(entry));
        let owned = index.by_owner.entry(entry.owner.clone()).or_default();
        owned.insert(entry.seq, Arc::clone(entry));
        index.all.insert(entry.seq, Arc::clone(entry));
        Ok(())
    }

    pub(crate) fn remove(&self, entry: &Entry) {
        let mut index = self.0.writing();
        index.by_id.remove(entry.id());
        index.all.remove(&entry.seq);
        if let Some(owned) = index.by_owner.get_mut(&entry.owner) {
            owned.remove(&entry.seq);
            if owned.is_empty() {
                index.by_owner.remove(&entry.owner);
            }
        }
    }

    pub(crate) fn get(&self, id: &SandboxId) -> Option<Arc<Entry>> {
        self.0.reading().by_id.get(id).cloned()
    }

    pub(crate) fn of_runtime(&self, runtime: &RuntimeName) -> Vec<Arc<Entry>> {
        let index = self.0.reading();
        let theirs = index
            .all
            .values()
            .filter(|entry| entry.slot.name == *runtime);
        theirs.cloned().collect()
    }

    pub(crate) fn of_owner(&self, owner: &OwnerId) -> Vec<Arc<Entry>> {
        let index = self.0.reading();
        let owned = index.by_owner.get(owner).into_iter();
        owned.flat_map(BTreeMap::values).cloned().collect()
    }

    /// Goes over the sandboxes of `owner`, or all, from the one before `before` down, until `visit`
    /// has had enough.
    pub(crate) fn newest_first(
        &self,
        owner: Option<&OwnerId>,
        before: u64,
        mut visit: impl FnMut(&Entry) -> bool,
    ) {
        let index = self.0.reading();
        let in_order = match owner {
            Some(owner) => index.by_owner.get(owner),
            None => Some(&index.all),
        };
        for entry in in_order.into_iter().flat_map(|o| o.range(..before).rev()) {
            if !visit(entry.1) {
                return;
            }
        }
    }
}

pub(crate) fn taken(id: &SandboxId) -> Error {
    let message = format!("there is, or was, a sandbox {id}: choose another id, or none");
    Error::new(ErrorKind::Conflict, "engine.create", message).with_field("id")
}

pub(crate) fn not_found(id: &SandboxId) -> Error {
    let message = format!("there is no sandbox {id}");
    Error::new(ErrorKind::NotFound, "engine.sandbox", message).with_field("sandbox_id")
}
