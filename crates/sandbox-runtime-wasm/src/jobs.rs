//! The commands of the host in one sandbox: who may be taken up again, who listens to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandbox_core::{Error, ErrorKind, Pid, ProcessEvent, Result};

use crate::kernel::{HostProcess, OutputReader};
use crate::lock::Lock;

/// How many there are before those that ended are looked for.
const FIRST_SWEEP: usize = 32;

/// A command of the host.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) host: HostProcess,
    /// Whether its input is the host's.
    pub(crate) piped: bool,
    output: OutputReader,
    /// Handles that may still ask for the output, and streams of it.
    interested: AtomicUsize,
}

/// Somebody who wants the output of a job, or may come to. When nobody does, it is thrown away, so
/// that the job does not wait for a reader.
#[derive(Debug)]
pub(crate) struct Interest(Arc<Job>);

impl Interest {
    pub(crate) fn of(job: &Arc<Job>) -> Self {
        if job.interested.fetch_add(1, Ordering::AcqRel) == 0 {
            job.output.discard(false);
        }
        Self(Arc::clone(job))
    }

    /// The next event, and none after the last.
    pub(crate) async fn next(&self) -> Option<ProcessEvent> {
        self.0.output.next().await
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        if self.0.interested.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.output.discard(true);
        }
    }
}

/// The jobs of a sandbox that run, and those that ended and are still held.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Lock<Table>);

#[derive(Debug, Default)]
struct Table {
    by_pid: BTreeMap<Pid, Arc<Job>>,
    /// At how many to look for those that ended.
    sweep_at: usize,
}

impl Jobs {
    /// Takes note of a command that was started.
    ///
    /// # Errors
    /// `Internal` when somebody has its output already.
    pub(crate) fn add(&self, host: HostProcess, piped: bool) -> Result<Arc<Job>> {
        let output = host.take_output().ok_or_else(|| {
            let message = "the output of a new command is taken";
            Error::new(ErrorKind::Internal, "wasm.spawn", message)
        })?;
        let job = Arc::new(Job {
            host,
            piped,
            output,
            interested: AtomicUsize::new(0),
        });
        let mut table = self.0.lock();
        if table.by_pid.len() >= table.sweep_at.max(FIRST_SWEEP) {
            table.by_pid.retain(|_, job| job.host.ended().is_none());
            table.sweep_at = 2 * table.by_pid.len();
        }
        // One that has its id has ended: ids are given again.
        let old = table.by_pid.insert(job.host.pid(), Arc::clone(&job));
        drop(table);
        drop(old);
        Ok(job)
    }

    /// The job whose first process is `pid`.
    ///
    /// # Errors
    /// `NotFound` with field `pid` when there is none, or it has ended.
    pub(crate) fn get(&self, pid: Pid) -> Result<Arc<Job>> {
        let found = self.0.lock().by_pid.get(&pid).cloned();
        let running = found.filter(|job| job.host.ended().is_none());
        running.ok_or_else(|| {
            let message = format!("no command with the process id {pid} runs");
            Error::new(ErrorKind::NotFound, "wasm.attach", message).with_field("pid")
        })
    }

    /// Forgets `job` when it has ended.
    pub(crate) fn forget_if_ended(&self, job: &Arc<Job>) {
        if job.host.ended().is_none() {
            return;
        }
        let mut table = self.0.lock();
        let pid = job.host.pid();
        let is_it = table
            .by_pid
            .get(&pid)
            .is_some_and(|one| Arc::ptr_eq(one, job));
        let removed = is_it.then(|| table.by_pid.remove(&pid));
        drop(table);
        drop(removed);
    }
}
