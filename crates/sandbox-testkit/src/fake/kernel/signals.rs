//! Whom a signal reaches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sandbox_core::{KillCause, Pid, Signal};

use super::{Kernel, Proc};
use crate::lock::Locked;

impl Kernel {
    fn all(&self, wanted: impl Fn(&Proc) -> bool) -> Vec<Arc<Proc>> {
        let table = self.table.locked();
        table.live.values().filter(|p| wanted(p)).cloned().collect()
    }

    /// Signals one process; false when there is none.
    pub(crate) fn signal_one(&self, pid: Pid, signal: Signal) -> bool {
        let found = self.all(|proc| proc.pid == pid);
        for proc in &found {
            proc.deliver(signal, None);
        }
        !found.is_empty()
    }

    /// Signals a process group; false when there is none.
    pub(crate) fn signal_group(&self, group: Pid, signal: Signal) -> bool {
        let found = self.all(|proc| proc.group.load(Ordering::Relaxed) == group);
        for proc in &found {
            proc.deliver(signal, None);
        }
        !found.is_empty()
    }

    /// Signals everything that a spawned process left, sessions of their own included.
    pub(super) fn signal_descent(&self, origin: Pid, signal: Signal, cause: Option<KillCause>) {
        for proc in self.all(|proc| proc.origin == origin) {
            proc.deliver(signal, cause);
        }
    }

    pub(crate) fn is_alive(&self, pid: Pid) -> bool {
        pid == super::INIT || self.table.locked().live.contains_key(&pid)
    }
}
