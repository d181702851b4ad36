//! What happens to processes: they start, end, run out of time.

use std::fs;
use std::os::fd::AsRawFd;
use std::time::Duration;

use sandbox_core::{ErrorKind, ExitStatus, Signal};

use super::plan::{Failure, public_pid};
use super::process::{Ending, ExecId, Kill, decode};
use super::supervisor::Phase;
use super::{Supervisor, pty};
use crate::agent::Agent;
use crate::agent::sys::fd;
use crate::agent::sys::signal::{self, News};
use crate::protocol::{Reply, WireError};

/// How long the end of a command that ran out of time is held back until everything it left behind
/// is gone.
const SWEEP_PATIENCE: Duration = Duration::from_secs(2);

/// The most children whose news is taken before everybody else has their turn.
const REAPED: u32 = 128;

/// How often the file of a process whose program has just begun is tried.
const SCORE_TRIES: u32 = 20;

/// Does for a process what it could not do itself.
fn after_start(pid: i32, killable_first: bool) {
    if killable_first {
        return;
    }
    // An agent without rights may not write the file of a process that still shares its protected
    // memory, and the kernel says that the program runs a moment before it lifts the protection.
    // What such a process starts at once may miss it.
    for _ in 0..SCORE_TRIES {
        match fs::write(format!("/proc/{pid}/oom_score_adj"), "1000") {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                std::thread::sleep(Duration::from_micros(100));
            }
            // Done, or the process is gone.
            Ok(()) | Err(_) => return,
        }
    }
}

impl Agent {
    /// A supervisor said that something changed.
    pub(crate) fn supervisors_spoke(&mut self) {
        let mut buffer = [0; 512];
        while let Ok(got @ 1..) = fd::read(self.supervised.0.as_raw_fd(), &mut buffer) {
            for id in buffer[..got].chunks_exact(size_of::<ExecId>()) {
                // A chunk has exactly the size of an id.
                let id = ExecId::from_ne_bytes(id.try_into().unwrap_or_default());
                self.supervisor_changed(id);
            }
            if got < buffer.len() {
                return;
            }
        }
    }

    fn supervisor_changed(&mut self, id: ExecId) {
        let Some(phase) = self.execs.get(&id).and_then(|exec| {
            let supervisor = exec.supervisor.as_ref();
            supervisor.map(super::Supervisor::phase)
        }) else {
            return;
        };
        match phase {
            Phase::Starting => {}
            Phase::Running(pid) => {
                if self.supervised_started(id, pid) && self.leaves_its_command(id) {
                    // It is, or is about to become, a child of this program.
                    self.pids.insert(pid, id);
                }
            }
            Phase::Failed(failure) => self.did_not_start(id, failure),
            Phase::Ended(wait_status) => {
                let exec = self.execs.get(&id);
                let supervisor = exec.and_then(|exec| exec.supervisor.as_ref());
                if let Some(pid) = supervisor.and_then(Supervisor::command_pid) {
                    self.supervised_started(id, pid);
                }
                self.process_ended(id, wait_status);
            }
        }
    }

    fn leaves_its_command(&self, id: ExecId) -> bool {
        let exec = self.execs.get(&id);
        exec.and_then(|exec| exec.supervisor.as_ref())
            .is_some_and(|supervisor| !supervisor.stays())
    }

    /// Says that a command's program runs; false when that was said before.
    pub(super) fn supervised_started(&mut self, id: ExecId, pid: i32) -> bool {
        let Some(exec) = self.execs.get_mut(&id) else {
            return false;
        };
        if exec.starting.take().is_none() {
            return false;
        }
        exec.pid = pid;
        let supervisor = exec.supervisor.as_ref();
        let killable = supervisor.is_some_and(Supervisor::is_killable_first);
        let (channel, takes_input) = (exec.channel, exec.input.is_some());
        after_start(pid, killable);
        self.starting.remove(&id);
        if let Some(channel) = channel {
            let pid = public_pid(pid);
            self.reply_started(channel, Reply::Spawned { pid }, takes_input);
        }
        true
    }

    /// Says why a command did not start.
    pub(super) fn did_not_start(&mut self, id: ExecId, failure: Failure) {
        let exec = self.execs.get_mut(&id);
        if let Some(command) = exec.and_then(|exec| exec.starting.take()) {
            self.supervised_failed(id, failure.describe(&command));
        }
    }

    /// The process never ran. Its supervisor is kept until it was reaped.
    pub(super) fn supervised_failed(&mut self, id: ExecId, error: WireError) {
        self.starting.remove(&id);
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        exec.forgotten = true;
        exec.deadline = None;
        exec.ending = Some(Ending {
            status: ExitStatus::lost(),
            placed: false,
            announced: false,
        });
        if let Some(supervisor) = &exec.supervisor {
            supervisor.release();
        }
        if let Some(channel) = exec.channel.take() {
            self.channels.remove(&channel);
            self.reply(channel, Err(error));
        }
        self.close_outputs(id);
    }

    /// Takes the status of children that ended, of so many at a time: a guest may leave more
    /// behind than could ever be taken.
    pub(crate) fn reap_children(&mut self) {
        for _ in 0..REAPED {
            match signal::next_child() {
                Some((pid, News::Ended(wait_status))) => self.child_ended(pid, wait_status),
                Some((pid, News::Stopped)) => self.child_stopped(pid),
                None => {
                    self.unreaped = false;
                    return;
                }
            }
        }
    }

    fn child_ended(&mut self, pid: i32, wait_status: i32) {
        // A command that became a child of this program was announced before.
        self.supervisors_spoke();
        let Some(id) = self.pids.remove(&pid) else {
            return;
        };
        let exec = self.execs.get_mut(&id);
        match exec.and_then(|exec| exec.take_supervisor(pid)) {
            Some(supervisor) => self.supervisor_reaped(id, supervisor),
            None => {
                self.adopted_ended(id);
                self.process_ended(id, wait_status);
            }
        }
    }

    /// A guest may stop its own processes, and not what has to say that they run or ended.
    fn child_stopped(&mut self, pid: i32) {
        let exec = self.pids.get(&pid).and_then(|id| self.execs.get(id));
        if exec.is_some_and(|exec| exec.supervisor_pid() == Some(pid)) {
            let _ = signal::kill(pid, libc::SIGCONT);
        }
    }

    /// The process itself ended; others may still hold its output open.
    pub(super) fn process_ended(&mut self, id: ExecId, wait_status: i32) {
        let plain = decode(wait_status);
        let exhausted = matches!(plain.shell_code(), 137) && self.memory_ran_out.happened();
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        if exec.ending.is_some() {
            return;
        }
        if exec.kill == Kill::Clean {
            exec.kill = Kill::Swept;
        }
        exec.deadline = exec.deadline.filter(|_| exec.kill == Kill::Sweeping);
        exec.ending = Some(Ending {
            status: exec.status(wait_status, exhausted),
            placed: false,
            announced: false,
        });
        if exec.kill != Kill::Sweeping
            && let Some(supervisor) = &exec.supervisor
        {
            supervisor.release();
        }
        self.measure_outputs(id);
        self.close_input(id);
        self.settle(id);
    }

    /// Kills every command whose time has passed.
    pub(crate) fn enforce_deadlines(&mut self) {
        let now = self.clock.now();
        let due: Vec<_> = self
            .execs
            .iter()
            .filter(|(_, exec)| exec.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.time_passed(id, now);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.execs.values().filter_map(|exec| exec.deadline).min()
    }

    fn time_passed(&mut self, id: ExecId, now: Duration) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        match exec.kill {
            Kill::No => {
                exec.kill = Kill::Sweeping;
                exec.deadline = Some(now + SWEEP_PATIENCE);
                if let Some(pid) = exec.pid() {
                    let _ = signal::kill(-pid, libc::SIGKILL);
                }
                if let Some(supervisor) = &exec.supervisor {
                    self.sweeper.kill_below(supervisor.pid, id);
                }
            }
            Kill::Sweeping | Kill::Clean => {
                exec.kill = Kill::Swept;
                exec.deadline = None;
                if exec.ending.is_none()
                    && let Some(supervisor) = &exec.supervisor
                {
                    // Stopped by the guest, or something that cannot be killed is below it.
                    supervisor.kill();
                }
                self.settle(id);
            }
            Kill::Swept => exec.deadline = None,
        }
    }

    /// Everything below a command that ran out of time is gone.
    pub(crate) fn swept(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let Some(supervisor) = &exec.supervisor else {
            return;
        };
        if exec.ending.is_some() {
            exec.kill = Kill::Swept;
            exec.deadline = None;
            supervisor.release();
            self.settle(id);
        } else {
            exec.kill = Kill::Clean;
            // It reports the end any moment, unless the guest has stopped it.
            let _ = signal::kill(supervisor.pid, libc::SIGCONT);
        }
    }

    /// Sends a signal to a spawned process's group.
    pub(crate) fn signal_group(
        &mut self,
        process: u32,
        number: Signal,
    ) -> Result<Reply, WireError> {
        let exec = self.exec_of(process)?;
        let ended = || WireError::of(ErrorKind::NotFound, "pid", "the process has ended");
        let pid = exec.pid().filter(|_| exec.is_alive()).ok_or_else(ended)?;
        signal::kill(-pid, number.number()).map_err(|_| ended())?;
        Ok(Reply::Done)
    }

    /// Changes the size of a spawned process's terminal.
    pub(crate) fn resize(
        &mut self,
        process: u32,
        size: sandbox_core::PtySize,
    ) -> Result<Reply, WireError> {
        let exec = self.exec_of(process)?;
        let refuse = |message: String| WireError::new(ErrorKind::Conflict, message);
        let Some(master) = exec.terminal_fd.filter(|_| exec.input.is_some()) else {
            return Err(refuse("the process has no terminal".into()));
        };
        pty::resize(master, size).map_err(|error| refuse(error.to_string()))?;
        Ok(Reply::Done)
    }
}
