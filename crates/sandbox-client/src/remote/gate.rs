//! Which sandboxes are being destroyed from here, so that their ends are no news.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_core::SandboxId;

/// The sandboxes that this runtime was asked to destroy and has not heard to be gone.
#[derive(Debug, Default, Clone)]
pub(super) struct Ending(Arc<Mutex<HashSet<SandboxId>>>);

impl Ending {
    fn ids(&self) -> MutexGuard<'_, HashSet<SandboxId>> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it is being destroyed from here.
    pub(super) fn begin(&self, id: &SandboxId) {
        self.ids().insert(id.clone());
    }

    /// Takes back what was noted of one that was gone before, or lives on.
    pub(super) fn forget(&self, id: &SandboxId) {
        self.ids().remove(id);
    }

    /// Whether its end, which was just heard of, was asked for from here.
    pub(super) fn was_asked_for(&self, id: &SandboxId) -> bool {
        self.ids().remove(id)
    }
}
