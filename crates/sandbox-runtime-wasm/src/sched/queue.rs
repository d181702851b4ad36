//! The run queue: groups with something to run, by the CPU time they have had.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::Group;

/// How much less than everybody else a group can have had when it wakes, in nanoseconds: what it
/// did not use while it slept is not owed to it.
const WAKE_BONUS: u64 = 2_000_000;

/// How much less a waiting group must have had for a running one to make room, in nanoseconds.
pub(super) const GRANULARITY: u64 = 200_000;

/// A slice that runs now.
#[derive(Debug, Clone, Copy)]
struct Running {
    slice: u64,
    /// What its group had had when it began.
    had: u64,
}

/// Who waits and who runs. Groups' own states are locked after this, never before.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(u64, u64), Arc<Group>>,
    running: Vec<Running>,
    next_slice: u64,
    /// What the group that ran last had had: nobody starts far below it.
    floor: u64,
    /// Workers that have nothing to do.
    pub(super) idle: usize,
    /// Whether the workers end.
    pub(super) shutdown: bool,
}

impl Queue {
    /// The time that a group which had `had` joins with.
    pub(super) fn joining(&self, had: u64) -> u64 {
        had.max(self.floor.saturating_sub(WAKE_BONUS))
    }

    pub(super) fn insert(&mut self, had: u64, group: Arc<Group>) {
        self.waiting.insert((had, group.id()), group);
    }

    pub(super) fn remove(&mut self, had: u64, group: u64) -> Option<Arc<Group>> {
        self.waiting.remove(&(had, group))
    }

    /// Takes out the group that has had least.
    pub(super) fn pop(&mut self) -> Option<Arc<Group>> {
        let ((had, _), group) = self.waiting.pop_first()?;
        self.floor = self.floor.max(had);
        Some(group)
    }

    /// What the group that has had least of those that wait has had.
    pub(super) fn least(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(key, _)| key.0)
    }

    /// Notes that a slice of a group that had `had` begins.
    pub(super) fn begin(&mut self, had: u64) -> u64 {
        self.next_slice += 1;
        let slice = self.next_slice;
        self.running.push(Running { slice, had });
        slice
    }

    /// Notes that it ended.
    pub(super) fn end(&mut self, slice: u64) {
        self.running.retain(|running| running.slice != slice);
    }

    /// How many slices run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether somebody who runs has had so much more than `had` that he must make room.
    pub(super) fn outranks(&self, had: u64) -> bool {
        let limit = had.saturating_add(GRANULARITY);
        self.running.iter().any(|running| running.had > limit)
    }
}
