//! The sandboxes there are, by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result, SandboxId};

use crate::lock::Lock;
use crate::sandbox::WasmSandbox;

const OPERATION: &str = "wasm.create";

/// The sandboxes of a runtime.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    existing: Lock<HashMap<SandboxId, Arc<WasmSandbox>>>,
    max: usize,
}

impl Sandboxes {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            existing: Lock::default(),
            max,
        }
    }

    /// Refuses ids that are taken, or that would be too many.
    ///
    /// # Errors
    /// `Conflict` with field `id`; `LimitExceeded` with field `sandboxes`.
    pub(crate) fn check_free<'a>(&self, ids: impl Iterator<Item = &'a SandboxId>) -> Result<()> {
        check_free(&self.existing.lock(), self.max, ids)
    }

    /// Refuses `count` more when those would be too many.
    ///
    /// # Errors
    /// `LimitExceeded` with field `sandboxes`.
    pub(crate) fn check_room(&self, count: usize) -> Result<()> {
        check_room(self.existing.lock().len(), count, self.max)
    }

    /// Adds all of `sandboxes`, or none.
    ///
    /// # Errors
    /// As [`check_free`](Self::check_free).
    pub(crate) fn add(&self, sandboxes: &[Arc<WasmSandbox>]) -> Result<()> {
        let mut existing = self.existing.lock();
        check_free(
            &existing,
            self.max,
            sandboxes.iter().map(|one| one.spec().id()),
        )?;
        existing.extend(
            sandboxes
                .iter()
                .map(|one| (one.spec().id().clone(), one.clone())),
        );
        Ok(())
    }

    /// The sandbox `id`.
    ///
    /// # Errors
    /// `NotFound` with field `id`.
    pub(crate) fn get(&self, id: &SandboxId) -> Result<Arc<WasmSandbox>> {
        let found = self.existing.lock().get(id).cloned();
        found.ok_or_else(|| {
            let message = format!("there is no sandbox {id}");
            Error::new(ErrorKind::NotFound, "wasm.get", message).with_field("id")
        })
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<WasmSandbox>> {
        self.existing.lock().values().cloned().collect()
    }

    /// Forgets `sandbox`, which is gone; one that has its id by now stays.
    pub(crate) fn remove(&self, sandbox: &WasmSandbox) {
        let mut existing = self.existing.lock();
        let is_it = |there: &Arc<WasmSandbox>| std::ptr::eq(Arc::as_ptr(there), sandbox);
        let removed = match existing.get(sandbox.spec().id()) {
            Some(there) if is_it(there) => existing.remove(sandbox.spec().id()),
            Some(_) | None => None,
        };
        drop(existing);
        drop(removed);
    }
}

fn check_free<'a>(
    existing: &HashMap<SandboxId, Arc<WasmSandbox>>,
    max: usize,
    ids: impl Iterator<Item = &'a SandboxId>,
) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if existing.contains_key(id) || !seen.insert(id) {
            let message = format!("there is a sandbox {id} already");
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message).with_field("id"));
        }
    }
    check_room(existing.len(), seen.len(), max)
}

fn check_room(existing: usize, more: usize, max: usize) -> Result<()> {
    if existing.saturating_add(more) > max {
        let message = format!("there are {existing} sandboxes; the limit is {max}");
        let error = Error::new(ErrorKind::LimitExceeded, OPERATION, message);
        return Err(error.with_field("sandboxes"));
    }
    Ok(())
}
