//! Readers that a process waits for.

use std::sync::Arc;

use super::ring::Ring;

/// The place of a reader that the process waits for, as it would for a pipe: what this has not read
/// stays in the ring, and when that is full the process is not read any further. Dropping it lets
/// the process go on.
#[derive(Debug)]
pub(crate) struct Pace {
    ring: Arc<Ring>,
    id: u64,
}

impl Pace {
    /// A reader that wants what is numbered `next`, and all that follows.
    pub(super) fn new(ring: &Arc<Ring>, next: u64) -> Self {
        Self {
            ring: Arc::clone(ring),
            id: ring.hold(next),
        }
    }

    /// Notes that everything before `next` was read.
    pub(super) fn advance(&self, next: u64) {
        self.ring.advance(self.id, next);
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.ring.let_go(self.id);
    }
}
