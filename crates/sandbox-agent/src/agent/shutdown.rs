//! Ending the sandbox when its runtime asks for it.

use std::time::{Duration, Instant};

use super::Agent;
use super::sys::signal::{self, Arrived};

/// How long processes have to end by themselves.
const PATIENCE: Duration = Duration::from_secs(2);

/// A sandbox that is ending.
#[derive(Debug)]
pub(super) struct Shutdown {
    deadline: Instant,
    done: bool,
}

impl Shutdown {
    pub(super) fn remaining(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // Processes that nobody spawned end without a word.
        left.min(Duration::from_millis(50))
    }
}

impl Agent {
    /// Somebody sent SIGTERM. In a process namespace of its own, only those outside are heeded:
    /// the guest must not end its sandbox this way.
    pub(super) fn asked_to_end(&mut self, arrived: Arrived) {
        let first = std::process::id() == 1;
        if (first && !arrived.is_from_outside()) || self.shutdown.is_some() {
            return;
        }
        self.signal_everybody(libc::SIGTERM);
        self.shutdown = Some(Shutdown {
            deadline: Instant::now() + PATIENCE,
            done: false,
        });
    }

    fn signal_everybody(&self, number: i32) {
        if std::process::id() == 1 {
            let _ = signal::kill(-1, number);
            return;
        }
        for exec in self.execs.values() {
            if let Some(pid) = exec.pid() {
                let _ = signal::kill(-pid, number);
            }
        }
    }

    pub(super) fn advance_shutdown(&mut self) {
        let alone = self.execs.values().all(|exec| !exec.is_alive());
        let Some(shutdown) = &mut self.shutdown else {
            return;
        };
        if alone || shutdown.deadline <= Instant::now() {
            shutdown.done = true;
            self.signal_everybody(libc::SIGKILL);
        }
    }

    pub(super) fn has_shut_down(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|one| one.done)
    }
}
