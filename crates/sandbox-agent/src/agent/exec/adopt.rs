//! Commands whose supervisor is gone.
//!
//! A guest with the rights to may kill a supervisor at any moment, before it could say that its
//! command runs too. What became of the command is then known from what the kernel noted: this
//! program takes the place of the supervisor, and answers what is true. Whoever is told that a
//! command was not started may start it again without it running twice.

use std::time::Duration;

use sandbox_core::ErrorKind;

use super::Supervisor;
use super::process::ExecId;
use super::supervisor::Phase;
use crate::agent::Agent;
use crate::agent::sys::signal::{self, Child};
use crate::protocol::WireError;

/// How often it is looked whether the program of an adopted command runs yet: nobody says so.
const LOOK: Duration = Duration::from_millis(1);

impl Agent {
    /// A supervisor is gone: its work is done, or the guest killed it.
    pub(super) fn supervisor_reaped(&mut self, id: ExecId, supervisor: Supervisor) {
        let starting = self
            .execs
            .get(&id)
            .is_some_and(|exec| exec.starting.is_some());
        match supervisor.phase() {
            Phase::Ended(wait_status) => {
                self.take_over(id, &supervisor);
                self.process_ended(id, wait_status);
            }
            Phase::Failed(failure) => self.did_not_start(id, failure),
            // It said so, and left the command to this program.
            Phase::Running(_) if !supervisor.stays() && !starting => {}
            Phase::Starting | Phase::Running(_) => self.adopt(id, supervisor),
        }
        self.settle(id);
    }

    /// Takes the command of a supervisor that the guest killed.
    ///
    /// With a time limit nobody knows any more what belongs to the command. Whatever came to this
    /// program since and is none of its children is killed: a command does not get out of its time
    /// limit, at the price of processes that other commands left behind.
    fn adopt(&mut self, id: ExecId, supervisor: Supervisor) {
        let Some(pid) = supervisor.command_pid() else {
            let message = "the process was killed before there was one";
            self.supervised_failed(id, WireError::new(ErrorKind::Unavailable, message));
            return;
        };
        if supervisor.stays() {
            // Its group; and itself, which may have none yet.
            let _ = signal::kill(-pid, libc::SIGKILL);
            let _ = signal::kill(pid, libc::SIGKILL);
            let known = self.pids.keys().copied().collect();
            self.sweeper.kill_strays_but(known);
        }
        match signal::look_at(pid) {
            Child::Alive => {
                self.pids.insert(pid, id);
                self.adopted.push((id, supervisor));
                self.look_at_adopted();
            }
            Child::Ended(wait_status) => {
                self.take_over(id, &supervisor);
                self.process_ended(id, wait_status);
            }
            Child::Unknown => {
                // The supervisor took its status and died with it.
                self.take_over(id, &supervisor);
                self.process_ended(id, libc::SIGKILL);
            }
        }
    }

    /// When adopted commands are to be looked at again.
    pub(crate) fn next_look(&self) -> Option<Duration> {
        (!self.adopted.is_empty()).then_some(LOOK)
    }

    /// Looks which adopted commands have come as far as their program, or ended before. Only then
    /// may the memory go in which they were set up.
    pub(crate) fn look_at_adopted(&mut self) {
        let adopted = std::mem::take(&mut self.adopted);
        let (left, inside) = adopted
            .into_iter()
            .partition(|(_, supervisor)| supervisor.is_left());
        self.adopted = inside;
        for (id, supervisor) in left {
            self.take_over(id, &supervisor);
            self.settle(id);
        }
    }

    /// An adopted command was reaped, so it is not being set up any more.
    pub(super) fn adopted_ended(&mut self, id: ExecId) {
        if let Some(index) = self.adopted.iter().position(|(one, _)| *one == id) {
            let (_, supervisor) = self.adopted.swap_remove(index);
            self.take_over(id, &supervisor);
        }
    }

    /// Says in the place of a supervisor how the start of its command went. A command that was
    /// killed counts as started: how far it had come cannot be told from its end, and one that is
    /// said not to have run may be run again.
    fn take_over(&mut self, id: ExecId, supervisor: &Supervisor) {
        match (supervisor.failure(), supervisor.command_pid()) {
            (Some(failure), _) => self.did_not_start(id, failure),
            (None, Some(pid)) => {
                self.supervised_started(id, pid);
            }
            (None, None) => {}
        }
    }
}
