//! How far the output of processes was read before they were let go of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_core::Pid;

/// The most processes of a sandbox whose positions are kept.
const MOST: usize = 1024;

/// Where a process can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The process, by the server's id.
    pub(super) process: String,
    /// The number of the first piece of output that nobody has read.
    pub(super) next: u64,
}

/// The positions of one sandbox's processes.
#[derive(Debug, Default, Clone)]
pub(super) struct Positions(Arc<Mutex<HashMap<Pid, Position>>>);

impl Positions {
    fn all(&self) -> MutexGuard<'_, HashMap<Pid, Position>> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps where `pid` can be taken up. Of too many, any is forgotten: it is then taken up with
    /// all of its output that the server keeps.
    pub(super) fn keep(&self, pid: Pid, position: Position) {
        let mut all = self.all();
        if all.len() >= MOST
            && let Some(any) = all.keys().next().copied()
        {
            all.remove(&any);
        }
        all.insert(pid, position);
    }

    /// Where `pid` can be taken up.
    pub(super) fn of(&self, pid: Pid) -> Option<Position> {
        self.all().get(&pid).cloned()
    }

    /// Forgets a process that has been taken up, or ended.
    pub(super) fn forget(&self, pid: Pid) {
        self.all().remove(&pid);
    }
}
