//! How long sandboxes ran, by owner and month.

use std::collections::HashMap;
use std::time::Duration;

use sandbox_core::{Result, SandboxId};

use crate::OwnerId;
use crate::driver::by_month;
use crate::engine::Engine;
use crate::owners::Month;

/// How long the sandboxes of an owner ran in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The month.
    pub month: Month,
    /// Seconds, of each sandbox rounded up, those of destroyed ones included.
    pub seconds: u64,
}

impl Engine {
    /// How long the sandboxes of `owner` ran in `month`, up to now. Time in which the engine was
    /// down counts for those that ran on.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn usage(&self, owner: &OwnerId, month: Month) -> Result<Usage> {
        // Memory first: time that is written down between the two looks is then counted twice at
        // most for a moment, and never missing.
        let mut millis = self.unwritten(owner, month);
        let mut seconds: u64 = 0;
        for row in self.core.store.usage(owner, month).await? {
            let live = row.sandbox.and_then(|id| millis.remove(&id)).unwrap_or(0);
            seconds = seconds.saturating_add(row.millis.saturating_add(live).div_ceil(1000));
        }
        for live in millis.into_values() {
            seconds = seconds.saturating_add(live.div_ceil(1000));
        }
        Ok(Usage { month, seconds })
    }

    /// What living sandboxes ran in `month` since it was last written down.
    fn unwritten(&self, owner: &OwnerId, month: Month) -> HashMap<SandboxId, u64> {
        let now = self.core.clock.now();
        let mut found = HashMap::new();
        for entry in self.core.registry.of_owner(owner) {
            let record = entry.record();
            let accounted = Duration::from_millis(record.accounted_ms);
            let since = record.lifecycle.usage(now).saturating_sub(accounted);
            let parts = by_month(since, now).into_iter();
            let millis: u64 = parts.filter(|(of, _)| *of == month).map(|(_, ms)| ms).sum();
            if millis > 0 {
                found.insert(entry.id().clone(), millis);
            }
        }
        found
    }
}
