//! How uses of a sandbox are counted without asking the task that drives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sandbox_core::Timestamp;

/// Says whether a sandbox can be used right now, and remembers when it last was.
///
/// A use notes its time first and looks at the gate second. The driver shuts the gate first and
/// reads the time second. In a single order of all four, a use that found the gate open was seen by
/// the driver: no sandbox falls asleep under somebody who was just let in.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    last_use: AtomicU64,
    in_use: AtomicUsize,
    noted: AtomicU64,
}

impl Gate {
    /// Whether the last use that was written down is longer ago than `precision`; if so, the next
    /// one that asks is told no.
    pub(crate) fn is_worth_noting(&self, now: Timestamp, precision: Duration) -> bool {
        let noted = Timestamp::from_millis(self.noted.load(SeqCst));
        // The other way round: the clock was set back.
        if now.since(noted) < precision && noted.since(now) < precision {
            return false;
        }
        self.noted.store(now.as_millis(), SeqCst);
        true
    }

    /// Notes a use at `now`. Whether it can begin at once.
    pub(crate) fn enter(&self, now: Timestamp) -> bool {
        // Not the maximum: the clock may have been set back.
        self.last_use.store(now.as_millis(), SeqCst);
        self.open.load(SeqCst)
    }

    /// Shuts the gate; answers when the last use was.
    pub(crate) fn shut(&self) -> Timestamp {
        self.open.store(false, SeqCst);
        Timestamp::from_millis(self.last_use.load(SeqCst))
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, SeqCst);
    }

    /// Whether a call is on its way or a stream is being read.
    pub(crate) fn is_in_use(&self) -> bool {
        self.in_use.load(SeqCst) > 0
    }
}

/// A use that goes on: while one is held, the sandbox does not count as idle.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Gate>);

impl InUse {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        gate.in_use.fetch_add(1, SeqCst);
        Self(gate)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_that_was_let_in_is_seen_by_whoever_shuts_the_gate() {
        let gate = Arc::new(Gate::default());
        assert!(!gate.enter(Timestamp::from_millis(1)));
        gate.set_open(true);
        assert!(gate.enter(Timestamp::from_millis(7)));
        assert_eq!(gate.shut(), Timestamp::from_millis(7));
        assert!(!gate.enter(Timestamp::from_millis(8)));
    }

    #[test]
    fn uses_end_when_they_are_dropped() {
        let gate = Arc::new(Gate::default());
        let uses = [InUse::new(Arc::clone(&gate)), InUse::new(Arc::clone(&gate))];
        assert!(gate.is_in_use());
        drop(uses);
        assert!(!gate.is_in_use());
    }
}
