//! The process table: who there is, whose child, and who has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use sandbox_core::{ExitStatus, Pid};

use super::errno::{Errno, Result};
use super::process::Process;
use super::wakers::Wakers;
use crate::sched::Alarm;

/// The process that adopts orphans: the kernel itself, which collects them at once.
pub(crate) const INIT: Pid = 1;

/// Process ids wrap before this one, as Linux has it.
const MAX_PID: Pid = 4_194_304;

/// A process and its relations.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The process.
    pub(crate) process: Arc<Process>,
    /// Its parent; [`INIT`] for commands of the host and orphans.
    pub(crate) parent: Pid,
    /// Its process group.
    pub(crate) group: Pid,
    /// Its session.
    pub(crate) session: Pid,
    /// How it ended; it stays until its parent has asked.
    pub(crate) ended: Option<ExitStatus>,
    /// Itself, when it waits for a child.
    pub(super) waiting: Wakers,
}

/// Which children to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Children {
    /// Any.
    Any,
    /// The one with this id.
    One(Pid),
    /// Those in this process group.
    Group(Pid),
}

/// The processes of one sandbox by id. Empty, it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable {
    entries: BTreeMap<Pid, Entry>,
    last: Pid,
    /// What ends jobs that take too long, by job.
    alarms: BTreeMap<Pid, Alarm>,
}

impl ProcessTable {
    /// How many there are, ended ones that nobody has asked about included.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The process `pid`, ended or not.
    pub(crate) fn get(&self, pid: Pid) -> Option<&Entry> {
        self.entries.get(&pid)
    }

    pub(super) fn get_mut(&mut self, pid: Pid) -> Option<&mut Entry> {
        self.entries.get_mut(&pid)
    }

    /// All of them, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// A process id that nobody has, neither as a process nor as a group nor as a session.
    pub(super) fn free_pid(&mut self) -> Pid {
        loop {
            self.last = if self.last + 1 >= MAX_PID {
                INIT
            } else {
                self.last
            }
            .max(INIT)
                + 1;
            let pid = self.last;
            let taken = self.entries.contains_key(&pid)
                || (self.entries.values()).any(|e| e.group == pid || e.session == pid);
            if !taken {
                return pid;
            }
        }
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry.process.pid, entry);
    }

    pub(super) fn remove(&mut self, pid: Pid) -> Option<Entry> {
        self.entries.remove(&pid)
    }

    /// Takes out a child of `parent` that has ended, lowest id first. `None`: they all run.
    ///
    /// # Errors
    /// `CHILD` when it has no such child.
    pub(super) fn reap(&mut self, parent: Pid, which: Children) -> Result<Option<Entry>> {
        let matches = |pid: Pid, entry: &Entry| {
            entry.parent == parent
                && match which {
                    Children::Any => true,
                    Children::One(one) => pid == one,
                    Children::Group(group) => entry.group == group,
                }
        };
        let mut any = false;
        let mut ended = None;
        for (pid, entry) in &self.entries {
            if matches(*pid, entry) {
                any = true;
                if entry.ended.is_some() {
                    ended = Some(*pid);
                    break;
                }
            }
        }
        if !any {
            return Err(Errno::CHILD);
        }
        Ok(ended.and_then(|pid| self.entries.remove(&pid)))
    }

    /// Keeps what ends `job` when it takes too long.
    pub(super) fn set_alarm(&mut self, job: Pid, alarm: Alarm) {
        self.alarms.insert(job, alarm);
    }

    /// Takes out the alarm of `job` once none of it runs.
    #[must_use]
    pub(super) fn end_of_job(&mut self, job: Pid) -> Option<Alarm> {
        if self.alarms.is_empty() {
            return None;
        }
        let runs = |entry: &Entry| entry.process.job == job && entry.ended.is_none();
        if self.entries.values().any(runs) {
            return None;
        }
        self.alarms.remove(&job)
    }

    /// Gives the children of `parent` to init, which collects those that have ended.
    #[must_use]
    pub(super) fn orphan(&mut self, parent: Pid) -> Vec<Entry> {
        let mut collected = Vec::new();
        for (pid, entry) in &mut self.entries {
            if entry.parent == parent {
                entry.parent = INIT;
                if entry.ended.is_some() {
                    collected.push(*pid);
                }
            }
        }
        let take = |pid| self.entries.remove(&pid);
        collected.into_iter().filter_map(take).collect()
    }
}
