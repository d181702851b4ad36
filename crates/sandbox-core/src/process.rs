//! Processes: what they say, how they end.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{BoxStream, PtySize, Result, Signal};

/// A process id as processes inside the sandbox see it.
pub type Pid = u32;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code, 0 to 255.
    Code(u8),
    /// This signal killed it.
    Signal(Signal),
    /// Nobody can say: the sandbox ended, or was lost, under it.
    Lost,
}

/// Who killed a process, where it was not the sandbox's own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillCause {
    /// [`Command::timeout`](crate::Command::timeout) passed.
    Timeout,
    /// The sandbox's memory limit was reached.
    OutOfMemory,
}

/// The end of a process: how, and who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// How it ended.
    pub exit: Exit,
    /// Why it was killed, where that is known.
    pub cause: Option<KillCause>,
}

impl ExitStatus {
    /// The end of a process that returned `code`.
    pub const fn from_code(code: u8) -> Self {
        Self {
            exit: Exit::Code(code),
            cause: None,
        }
    }

    /// The end of a process that `signal` killed.
    pub const fn from_signal(signal: Signal) -> Self {
        Self {
            exit: Exit::Signal(signal),
            cause: None,
        }
    }

    /// The end of a process whose sandbox went away.
    pub const fn lost() -> Self {
        Self {
            exit: Exit::Lost,
            cause: None,
        }
    }

    /// Whether it returned 0.
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// Whether its [`Command::timeout`](crate::Command::timeout) killed it.
    pub fn timed_out(&self) -> bool {
        self.cause == Some(KillCause::Timeout)
    }

    /// The code a shell would report: the exit code, 128 + the signal's number, or -1 when lost.
    pub fn shell_code(&self) -> i32 {
        match self.exit {
            Exit::Code(code) => i32::from(code),
            Exit::Signal(signal) => 128 + signal.number(),
            Exit::Lost => -1,
        }
    }
}

/// Which stream a chunk of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The terminal: both, as the terminal shows them.
    Pty,
}

/// What happens to a process, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEvent {
    /// It wrote these bytes, never empty; a chunk may end in the middle of a character.
    Output(OutputStream, Bytes),
    /// It ended. Whatever it wrote comes before this; what follows was written by children it
    /// left behind with its output open.
    Exited(ExitStatus),
}

/// A process that [`Sandbox::spawn`](crate::Sandbox::spawn) started.
///
/// Dropping this kills nothing: the process goes on, and its output is still taken from it and
/// thrown away, so that it does not block.
#[async_trait]
pub trait Process: fmt::Debug + Send + Sync + 'static {
    /// Its id inside the sandbox.
    fn pid(&self) -> Pid;

    /// Its events in order: output, one [`ProcessEvent::Exited`], output of children left behind,
    /// and the end once nobody holds the output open. The first call gets the stream, every
    /// further one `None`. A reader that stops reading stops the process when its pipe is full;
    /// dropping the stream discards what comes.
    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>>;

    /// Gives bytes to standard input; returns when they are on their way, later when the process
    /// does not read.
    ///
    /// # Errors
    /// `Conflict` when its input is not open (never piped, closed, or the process ended).
    async fn write_stdin(&self, data: Bytes) -> Result<()>;

    /// Closes standard input. Idempotent.
    ///
    /// # Errors
    /// `Conflict` for a process without piped input; on a terminal `Conflict` too: send `^D`.
    async fn close_stdin(&self) -> Result<()>;

    /// Waits for its end; any number of callers may.
    async fn wait(&self) -> Result<ExitStatus>;

    /// Sends `signal` to its process group.
    ///
    /// # Errors
    /// `NotFound` when it has ended.
    async fn signal(&self, signal: Signal) -> Result<()>;

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// `Conflict` when it has no terminal.
    async fn resize(&self, size: PtySize) -> Result<()>;
}

/// A process as the sandbox's own process table shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its id.
    pub pid: Pid,
    /// Its parent's id.
    pub parent: Pid,
    /// Its arguments; empty for one that has none to show.
    pub argv: Vec<String>,
    /// Who runs it, as a number.
    pub uid: u32,
    /// Whether [`Sandbox::spawn`](crate::Sandbox::spawn) started it, so that
    /// [`Sandbox::attach`](crate::Sandbox::attach) takes its id.
    pub spawned: bool,
    /// Memory resident now in bytes.
    pub memory: u64,
    /// CPU time used so far.
    pub cpu_time: Duration,
}

impl ProcessInfo {
    /// A process of which only this is known; the rest is zero.
    pub fn new(pid: Pid, parent: Pid, argv: Vec<String>) -> Self {
        Self {
            pid,
            parent,
            argv,
            uid: 0,
            spawned: false,
            memory: 0,
            cpu_time: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_has_the_code_a_shell_gives_it() {
        assert_eq!(ExitStatus::from_signal(Signal::KILL).shell_code(), 137);
        assert_eq!(ExitStatus::from_code(3).shell_code(), 3);
        assert_eq!(ExitStatus::lost().shell_code(), -1);
    }
}
