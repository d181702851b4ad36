//! The end of processes, and waiting for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use sandbox_core::{ExitStatus, KillCause, Pid, Signal};

use super::errno::Result;
use super::machine::Machine;
use super::process::Process;
use super::table::{Children, INIT};

/// `SIGCHLD` by its number.
const CHILD: i32 = 17;

impl Machine {
    /// Takes note of the end of `process`: closes what it had open, gives its children to init,
    /// tells its parent and the host.
    pub(super) fn exited(&self, process: &Arc<Process>, mut status: ExitStatus) {
        if self.destroyed.load(Ordering::Relaxed) {
            status = ExitStatus::lost();
        }
        let open = process.descriptors.lock().clear();
        drop(open);
        process.release();
        let mut table = self.table.lock();
        let mut gone = table.orphan(process.pid);
        let parent = match table.get_mut(process.pid) {
            Some(entry) => {
                entry.ended = Some(status);
                entry.parent
            }
            None => INIT,
        };
        let mut heard = None;
        match table.get_mut(parent) {
            Some(entry) if entry.ended.is_none() => {
                heard = Some((entry.process.clone(), entry.waiting.take()));
            }
            // Init collects its children at once.
            _ => gone.extend(table.remove(process.pid)),
        }
        let alarm = table.end_of_job(process.job);
        let empty = table.len() == 0;
        drop(table);
        drop((gone, alarm));
        process.ended(status);
        if let Some((parent, waiting)) = heard {
            if let Ok(signal) = Signal::new(CHILD) {
                parent.signal(signal);
            }
            waiting.wake();
        }
        if status.cause == Some(KillCause::OutOfMemory)
            && let Some(events) = &self.events
        {
            events.out_of_memory(process.pid);
        }
        if empty {
            let waiting = self.empty.lock().take();
            waiting.wake();
        }
    }

    /// Waits for a child of `process` that has ended, and forgets it. With `no_hang` the answer is
    /// `None` when there is none yet.
    ///
    /// # Errors
    /// `CHILD` when it has no such child, `INTR`.
    pub(crate) async fn wait_child(
        &self,
        process: &Process,
        which: Children,
        no_hang: bool,
    ) -> Result<Option<(Pid, ExitStatus)>> {
        let reaped = poll_fn(|cx| {
            let mut table = self.table.lock();
            match table.reap(process.pid, which) {
                Ok(None) if !no_hang => {
                    if let Some(entry) = table.get_mut(process.pid) {
                        entry.waiting.add(cx);
                    }
                    Poll::Pending
                }
                result => Poll::Ready(result),
            }
        });
        let Some(child) = process.interruptible(reaped).await? else {
            return Ok(None);
        };
        process.charge_child(&child.process);
        let status = child.ended.unwrap_or(ExitStatus::lost());
        Ok(Some((child.process.pid, status)))
    }
}
