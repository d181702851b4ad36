//! What a process table shows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sandbox_core::Pid;

use super::machine::Machine;
use super::table::INIT;

/// A process as others see it.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRow {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    pub(crate) session: Pid,
    /// As `ps` has it: `R` runs or waits, `T` is stopped, `Z` has ended.
    pub(crate) state: char,
    pub(crate) uid: u32,
    pub(crate) argv: Vec<String>,
    pub(crate) cpu_time: Duration,
    /// Bytes.
    pub(crate) memory: u64,
    /// Whether it is a command of the host.
    pub(crate) command: bool,
}

impl Machine {
    /// Every process there is now, by id; init is not among them.
    pub(crate) fn processes(&self) -> Vec<ProcessRow> {
        let table = self.table.lock();
        let rows = table.iter().map(|entry| {
            let process = &entry.process;
            let state = match entry.ended {
                Some(_) => 'Z',
                None if process.is_stopped() => 'T',
                None => 'R',
            };
            ProcessRow {
                pid: process.pid,
                parent: entry.parent,
                group: entry.group,
                session: entry.session,
                state,
                uid: process.user.0,
                argv: process.image().argv.clone(),
                cpu_time: process.cpu_time(),
                memory: process.memory.load(Ordering::Relaxed),
                command: entry.parent == INIT && process.job == process.pid,
            }
        });
        rows.collect()
    }

    /// The process group and the session of `pid`.
    pub(crate) fn group_of(&self, pid: Pid) -> Option<(Pid, Pid)> {
        let table = self.table.lock();
        table.get(pid).map(|entry| (entry.group, entry.session))
    }

    /// The parent of `pid`.
    pub(crate) fn parent_of(&self, pid: Pid) -> Option<Pid> {
        self.table.lock().get(pid).map(|entry| entry.parent)
    }

    /// Makes `pid` the leader of a new session and group, unless it leads a group already.
    pub(crate) fn set_session(&self, pid: Pid) -> bool {
        let mut table = self.table.lock();
        match table.get_mut(pid) {
            Some(entry) if entry.group != pid => {
                (entry.group, entry.session) = (pid, pid);
                true
            }
            _ => false,
        }
    }
}
