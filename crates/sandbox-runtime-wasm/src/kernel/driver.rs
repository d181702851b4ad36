//! What runs a process: its task.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sandbox_core::{ExitStatus, Signal};

use super::process::Process;
use super::signals::Fate;
use crate::engine::{Ended, Executable, Permit};

type Run = Pin<Box<dyn Future<Output = ExitStatus> + Send>>;

/// The future of a process: runs its program when it may run, ends it when it must end.
pub(super) struct Driver {
    process: Arc<Process>,
    /// The program; dropping it ends it wherever it is.
    run: Option<Run>,
    /// Its place among all processes, held until its store is gone.
    permit: Option<Permit>,
}

impl Driver {
    pub(super) fn new(process: Arc<Process>, code: Arc<Executable>, permit: Permit) -> Self {
        let run: Run = Box::pin(run(process.clone(), code));
        Self {
            process,
            run: Some(run),
            permit: Some(permit),
        }
    }

    fn finish(&mut self, status: ExitStatus) {
        // Its memory is given back before anybody hears of the end.
        self.run = None;
        self.permit = None;
        self.process.machine.exited(&self.process, status);
    }
}

/// Runs one program after the other, as `exec` goes.
async fn run(process: Arc<Process>, mut code: Arc<Executable>) -> ExitStatus {
    let engine = process.machine.kernel.engine.clone();
    loop {
        match engine.run(process.clone(), code).await {
            Ended::Exited(status) => return status,
            Ended::Exec(next) => {
                process.set_image(next.image);
                code = next.code;
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.process.poll_fate(cx) {
            Fate::Die(signal, cause) => {
                let status = ExitStatus {
                    cause,
                    ..ExitStatus::from_signal(signal)
                };
                self.finish(status);
                return Poll::Ready(());
            }
            Fate::Stop => return Poll::Pending,
            Fate::Run => {}
        }
        let began = self.process.machine.group.now();
        let Some(run) = &mut self.run else {
            return Poll::Ready(());
        };
        // A defect of ours in a host function ends the process that met it, not the sandboxes of
        // everybody else.
        let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx)));
        let now = self.process.machine.group.now();
        self.process.charge_cpu(now.saturating_sub(began));
        let status = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(status)) => status,
            Err(_panic) => {
                let pid = self.process.pid;
                tracing::error!(pid, "a host function panicked; its process is ended");
                ExitStatus::from_signal(Signal::SEGV)
            }
        };
        self.finish(status);
        Poll::Ready(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The executor ended before the process did.
        if self.run.is_some() {
            self.finish(ExitStatus::lost());
        }
    }
}
