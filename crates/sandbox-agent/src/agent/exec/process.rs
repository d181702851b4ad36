//! A spawned process as this program keeps it.

use std::os::fd::RawFd;
use std::time::Duration;

use sandbox_core::{Command, ExitStatus, KillCause, OutputStream, Signal};

use super::Supervisor;
use crate::agent::sys::poller::Registered;
use crate::protocol::flow::{Inflow, Outflow};

/// Tells spawned processes apart for ever, unlike process ids.
pub(crate) type ExecId = u64;

/// One of a process's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipe {
    /// Standard output, or the terminal.
    Out,
    /// Standard error.
    Err,
}

/// An output that is being read.
#[derive(Debug)]
pub(crate) struct Output {
    pub(super) fd: Registered,
    pub(super) stream: OutputStream,
    /// After the exit: bytes that were written before it and are still to be read.
    pub(super) before_exit: usize,
}

/// The end of a process, on its way to the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(super) status: ExitStatus,
    /// Whether it is in the output already, at its place.
    pub(super) placed: bool,
    /// Whether the client was told of it ahead of its place.
    pub(super) announced: bool,
}

/// A spawned process.
#[derive(Debug)]
pub(crate) struct Exec {
    /// Zero until its program runs.
    pub(super) pid: i32,
    /// The client's channel; none when no client has it.
    pub(crate) channel: Option<u32>,
    /// Nobody wants the output.
    pub(crate) discard: bool,
    /// Nobody wants to hear of it again.
    pub(super) forgotten: bool,
    pub(crate) out: Outflow,
    pub(crate) inn: Inflow,
    pub(super) outputs: [Option<Output>; 2],
    pub(super) input: Option<Registered>,
    pub(super) terminal: bool,
    /// The terminal's other side, for its size.
    pub(super) terminal_fd: Option<RawFd>,
    pub(super) ending: Option<Ending>,
    pub(super) deadline: Option<Duration>,
    pub(super) supervisor: Option<Supervisor>,
    pub(super) kill: Kill,
    /// What was asked for, until it runs: for the error if it does not.
    pub(super) starting: Option<Box<Command>>,
}

/// Whether and why a process is being killed with all it left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// It is not.
    No,
    /// Its time passed; the sweep goes on.
    Sweeping,
    /// The sweep found nothing more, but the end of the process has not been reported.
    Clean,
    /// Everything below it is gone, or the sweep took too long to wait for it.
    Swept,
}

impl Exec {
    pub(super) fn output(&mut self, pipe: Pipe) -> &mut Option<Output> {
        &mut self.outputs[match pipe {
            Pipe::Out => 0,
            Pipe::Err => 1,
        }]
    }

    /// Whether it runs, or is about to.
    pub(crate) fn is_alive(&self) -> bool {
        self.ending.is_none()
    }

    /// Its process id; none before its program runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        (self.pid > 0).then_some(self.pid)
    }

    /// The id of its supervisor.
    pub(crate) fn supervisor_pid(&self) -> Option<i32> {
        self.supervisor.as_ref().map(|one| one.pid)
    }

    /// How it ended.
    pub(crate) fn exit(&self) -> Option<ExitStatus> {
        self.ending.map(|ending| ending.status)
    }

    /// Whether its input can be written to.
    pub(crate) fn has_input(&self) -> bool {
        self.input.is_some()
    }

    /// Whether it runs on a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether nothing more can come from it and somebody, or nobody, has seen it all.
    pub(super) fn is_over(&self) -> bool {
        let ended = self.ending.is_some_and(|ending| ending.placed) && self.supervisor.is_none();
        ended && self.out.is_ended() && (self.forgotten || self.out.is_finished())
    }

    /// The status for `wait_status`, with what is known about who killed it.
    pub(super) fn status(&self, wait_status: i32, out_of_memory: bool) -> ExitStatus {
        let mut status = decode(wait_status);
        let killed = status == ExitStatus::from_signal(Signal::KILL);
        if killed && self.kill != Kill::No {
            status.cause = Some(KillCause::Timeout);
        } else if out_of_memory {
            status.cause = Some(KillCause::OutOfMemory);
        }
        status
    }
}

/// What a wait status says.
pub(super) fn decode(wait_status: i32) -> ExitStatus {
    if libc::WIFSIGNALED(wait_status) {
        let signal = Signal::new(libc::WTERMSIG(wait_status)).unwrap_or(Signal::KILL);
        return ExitStatus::from_signal(signal);
    }
    ExitStatus::from_code(libc::WEXITSTATUS(wait_status) as u8)
}

impl Exec {
    /// Takes the supervisor out when this is its id.
    pub(super) fn take_supervisor(&mut self, pid: i32) -> Option<Supervisor> {
        self.supervisor.take_if(|one| one.pid == pid)
    }

    /// Nobody wants it any more.
    pub(crate) fn forget(&mut self) {
        self.channel = None;
        self.forgotten = true;
        self.out.discard();
    }

    /// Somebody wants it again.
    pub(crate) fn take_up(&mut self) {
        self.forgotten = false;
        self.discard = false;
    }

    /// Whether it is there only for what nobody has read yet.
    pub(crate) fn is_kept_for_output(&self) -> bool {
        self.ending.is_some() && self.supervisor.is_none()
    }
}
