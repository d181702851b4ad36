//! Signals to one process, a group, a whole job.

use std::sync::Arc;

use sandbox_core::{KillCause, Pid, Signal};

use super::errno::{Errno, Result};
use super::machine::Machine;
use super::process::Process;
use super::table::INIT;

/// Whom a signal goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// One process.
    Process(Pid),
    /// Every process of this group.
    Group(Pid),
    /// Every process but this one and init.
    AllBut(Pid),
}

impl Machine {
    /// Sends `signal` (`None` only asks whether there is anybody) to `target`.
    ///
    /// # Errors
    /// `SRCH` when there is nobody, `PERM` for init.
    pub(crate) fn send_signal(&self, target: Target, signal: Option<Signal>) -> Result<()> {
        if target == Target::Process(INIT) {
            return signal.map_or(Ok(()), |_| Err(Errno::PERM));
        }
        let targets = self.find(|pid, group| match target {
            Target::Process(one) => pid == one,
            Target::Group(of) => group == of,
            Target::AllBut(one) => pid != one,
        });
        if targets.is_empty() {
            return Err(Errno::SRCH);
        }
        if let Some(signal) = signal {
            for process in targets {
                process.signal(signal);
            }
        }
        Ok(())
    }

    /// Kills a command of the host and everything it started, whatever groups and sessions those
    /// are in now.
    pub(crate) fn kill_job(&self, job: Pid, cause: Option<KillCause>) {
        // Under the table's lock nothing is born; what is born after has a doomed parent.
        let table = self.table.lock();
        for entry in table.iter() {
            if entry.process.job == job && entry.ended.is_none() {
                entry.process.kill(Signal::KILL, cause);
            }
        }
    }

    fn find(&self, wanted: impl Fn(Pid, Pid) -> bool) -> Vec<Arc<Process>> {
        let table = self.table.lock();
        let wanted = table
            .iter()
            .filter(|entry| wanted(entry.process.pid, entry.group));
        wanted.map(|entry| entry.process.clone()).collect()
    }
}
