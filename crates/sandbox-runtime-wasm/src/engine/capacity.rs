//! How many processes there may be at once over all sandboxes, and who is refused first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::kernel::{Errno, Result as Answer};

/// Counts the live processes of an engine.
#[derive(Debug)]
pub(crate) struct Capacity {
    limit: u32,
    used: Arc<AtomicU32>,
}

/// A process's place; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicU32>);

impl Capacity {
    pub(super) fn new(limit: u32) -> Self {
        let used = Arc::new(AtomicU32::new(0));
        Self { limit, used }
    }

    /// The most processes.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// A place for one more process of a sandbox that has `own`.
    ///
    /// Half of all places are for whoever comes first; of the other half a sandbox gets a place
    /// only while it has no more than an eighth of what is then left, so that a few that start all
    /// they can leave room for everybody else's first.
    ///
    /// # Errors
    /// `AGAIN` when there is none.
    pub(crate) fn take(&self, own: usize) -> Answer<Permit> {
        let fits = |used: u32| {
            let left = self.limit.saturating_sub(used);
            let scarce = left <= self.limit / 2;
            let share = usize::try_from(left / 8).unwrap_or(usize::MAX);
            let fits = left > 0 && (!scarce || own <= share.max(1));
            fits.then(|| used + 1)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(|_| Permit(self.used.clone()))
            .map_err(|_| Errno::AGAIN)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_sandbox_is_refused_while_others_still_get_in() {
        let capacity = Capacity::new(100);
        let mut greedy = Vec::new();
        while let Ok(permit) = capacity.take(greedy.len()) {
            greedy.push(permit);
        }
        assert_eq!(
            greedy.len(),
            50,
            "half of the places are there for the taking"
        );
        let others: Vec<_> = std::iter::repeat_with(|| capacity.take(0))
            .take_while(Result::is_ok)
            .collect();
        assert_eq!(others.len(), 50, "whoever has none gets the last place too");
        drop(greedy);
        assert!(capacity.take(6).is_ok());
    }
}
