//! How long a sandbox ran.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Adds up the time between readings while it is on. A reading earlier than the one before adds
/// nothing, and counting goes on from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meter {
    total_ms: u64,
    /// Up to when `total_ms` has counted; set while it is on.
    counted_to: Option<Timestamp>,
}

impl Meter {
    /// Counts what passed until `now`.
    pub(super) fn count(&mut self, now: Timestamp) {
        self.total_ms = self.total_ms_at(now);
        self.skip(now);
    }

    /// Goes on from `now` without counting what passed.
    pub(super) fn skip(&mut self, now: Timestamp) {
        if let Some(counted_to) = &mut self.counted_to {
            *counted_to = now;
        }
    }

    pub(super) fn switch(&mut self, on: bool, now: Timestamp) {
        self.counted_to = on.then_some(now);
    }

    pub(super) fn total(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.total_ms_at(now))
    }

    fn total_ms_at(&self, now: Timestamp) -> u64 {
        let since = self
            .counted_to
            .map_or(0, |to| now.as_millis().saturating_sub(to.as_millis()));
        self.total_ms.saturating_add(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn counts_only_while_on_and_never_backwards() {
        let mut meter = Meter::default();
        meter.count(at(50));
        meter.switch(true, at(100));
        meter.count(at(400));
        meter.count(at(200));
        assert_eq!(meter.total(at(0)).as_millis(), 300);
        meter.count(at(250));
        meter.switch(false, at(250));
        meter.count(at(900));
        assert_eq!(meter.total(at(900)).as_millis(), 350);
    }
}
