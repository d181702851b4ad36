//! Processes: what to start, what they say, how they end.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::spec::check_env;
use crate::{BoxStream, Error, Result, SandboxPath, User};

/// The most bytes the arguments of one command may have together.
pub const MAX_COMMAND_BYTES: usize = 1 << 20;

/// The most bytes one argument may have, a shell line included, as Linux has it.
pub const MAX_ARGUMENT_BYTES: usize = (128 << 10) - 1;

/// The longest time limit of one command: 365 days. Clocks can be asked to add it without overflow.
pub const MAX_COMMAND_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A process id as processes inside the sandbox see it.
pub type Pid = u32;

/// What a command runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A line for the sandbox's shell (`/bin/sh -c`).
    Shell(String),
    /// A program and its arguments, found through `PATH` when it has no `/`. Never empty.
    Argv(Vec<String>),
}

/// Where a process reads its standard input from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// Nothing: the end of the file at once.
    #[default]
    Null,
    /// [`Process::write_stdin`].
    Piped,
}

/// The size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtySize {
    /// Columns, at least 1.
    pub cols: u16,
    /// Rows, at least 1.
    pub rows: u16,
}

impl PtySize {
    /// Refuses a terminal without cells.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) with field `pty`.
    pub fn validate(self) -> Result<()> {
        if self.cols == 0 || self.rows == 0 {
            let message = "must have at least one column and one row";
            return Err(Error::invalid("command.validate", "pty", message));
        }
        Ok(())
    }
}

impl Default for PtySize {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

/// A command to start in a sandbox.
///
/// ```
/// use std::time::Duration;
/// use sandbox_core::Command;
///
/// let command = Command::shell("make test")
///     .env("CI", "true")
///     .cwd("/srv/app".parse()?)
///     .timeout(Duration::from_secs(60));
/// command.validate()?;
/// assert!(Command::argv(["", "x"]).validate().is_err());
/// # Ok::<(), sandbox_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Command {
    /// What to run.
    pub program: Program,
    /// Environment variables over the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// The working directory; without one, the sandbox's.
    pub cwd: Option<SandboxPath>,
    /// Who runs it; without one, the sandbox's user.
    pub user: Option<User>,
    /// Where standard input comes from. A terminal always has input.
    pub stdin: Stdin,
    /// Runs it on a terminal of this size: one output stream, job control, `^C`.
    pub pty: Option<PtySize>,
    /// Kills it and everything it started after this long, children that left its process group
    /// or session included; at most [`MAX_COMMAND_TIMEOUT`]. Time in which the sandbox is paused
    /// does not count.
    pub timeout: Option<Duration>,
}

impl Command {
    fn new(program: Program) -> Self {
        Self {
            program,
            env: BTreeMap::new(),
            cwd: None,
            user: None,
            stdin: Stdin::Null,
            pty: None,
            timeout: None,
        }
    }

    /// A line for the sandbox's shell.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::new(Program::Shell(line.into()))
    }

    /// A program and its arguments, without a shell.
    pub fn argv<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self::new(Program::Argv(argv.into_iter().map(Into::into).collect()))
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, cwd: SandboxPath) -> Self {
        self.cwd = Some(cwd);
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Opens standard input for [`Process::write_stdin`].
    #[must_use]
    pub fn piped_stdin(mut self) -> Self {
        self.stdin = Stdin::Piped;
        self
    }

    /// Runs it on a terminal.
    #[must_use]
    pub fn pty(mut self, size: PtySize) -> Self {
        self.pty = Some(size);
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The arguments as the kernel gets them; a shell line becomes `/bin/sh -c LINE`.
    pub fn to_argv(&self) -> Vec<String> {
        match &self.program {
            Program::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
            Program::Argv(argv) => argv.clone(),
        }
    }

    /// Checks everything that can be checked without a sandbox.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming `command`, `env`, `pty` or
    /// `timeout`: an empty command, a NUL byte, more than [`MAX_COMMAND_BYTES`] in all or
    /// [`MAX_ARGUMENT_BYTES`] in one argument, a malformed variable name, a terminal without cells, a timeout of zero or over
    /// [`MAX_COMMAND_TIMEOUT`].
    pub fn validate(&self) -> Result<()> {
        let refuse =
            |field: &str, message: String| Err(Error::invalid("command.validate", field, message));
        let argv = self.to_argv();
        let named = match &self.program {
            Program::Shell(line) => !line.trim().is_empty(),
            Program::Argv(argv) => argv.first().is_some_and(|program| !program.is_empty()),
        };
        if !named {
            return refuse("command", "is empty".into());
        }
        if argv.iter().any(|argument| argument.contains('\0')) {
            return refuse("command", "contains a NUL byte".into());
        }
        let bytes: usize = argv.iter().map(|argument| argument.len() + 1).sum();
        if bytes > MAX_COMMAND_BYTES {
            let message = format!("has {bytes} bytes; the limit is {MAX_COMMAND_BYTES}");
            return refuse("command", message);
        }
        if let Some(long) = argv
            .iter()
            .find(|argument| argument.len() > MAX_ARGUMENT_BYTES)
        {
            let bytes = long.len();
            let message = format!(
                "has an argument of {bytes} bytes; the limit is {MAX_ARGUMENT_BYTES}: write it to a file"
            );
            return refuse("command", message);
        }
        check_env("command.validate", &self.env)?;
        if let Some(size) = self.pty {
            size.validate()?;
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return refuse("timeout", "must be longer than zero".into());
        }
        if self
            .timeout
            .is_some_and(|timeout| timeout > MAX_COMMAND_TIMEOUT)
        {
            let days = MAX_COMMAND_TIMEOUT.as_secs() / (24 * 60 * 60);
            return refuse("timeout", format!("must be at most {days} days"));
        }
        Ok(())
    }
}

/// A signal by its Linux number, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(i32);

/// The signals with names, as Linux numbers them on every architecture supported here.
const SIGNAL_NAMES: [(&str, i32); 16] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
];

impl Signal {
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// Interrupt, as `^C` sends it.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill: cannot be caught.
    pub const KILL: Self = Self(9);
    /// The first signal without a meaning.
    pub const USR1: Self = Self(10);
    /// Segmentation fault.
    pub const SEGV: Self = Self(11);
    /// The second signal without a meaning.
    pub const USR2: Self = Self(12);
    /// Write to a pipe that nobody reads.
    pub const PIPE: Self = Self(13);
    /// Terminate: the polite request.
    pub const TERM: Self = Self(15);
    /// Continue.
    pub const CONT: Self = Self(18);
    /// Stop: cannot be caught.
    pub const STOP: Self = Self(19);

    /// The signal numbered `number`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) outside 1 to 64.
    pub fn new(number: i32) -> Result<Self> {
        if (1..=64).contains(&number) {
            return Ok(Self(number));
        }
        let message = format!("{number} is not a signal number; they run from 1 to 64");
        Err(Error::invalid("signal.parse", "signal", message))
    }

    /// The Linux number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Signal {
    type Error = Error;

    fn try_from(number: i32) -> Result<Self> {
        Self::new(number)
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.0
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// Parses `TERM`, `SIGTERM` (case does not matter) or `15`.
    fn from_str(text: &str) -> Result<Self> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = SIGNAL_NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self(*number));
        }
        match name {
            "STOP" => Ok(Self::STOP),
            _ => text
                .parse()
                .map_err(|_| {
                    let message = format!("{text:?} is not a signal such as TERM, SIGKILL or 15");
                    Error::invalid("signal.parse", "signal", message)
                })
                .and_then(Self::new),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNAL_NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if *self == Self::STOP => f.write_str("SIGSTOP"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

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
    /// [`Command::timeout`] passed.
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

    /// Whether its [`Command::timeout`] killed it.
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
    fn invalid_commands_name_the_field() {
        let refused = |command: Command| command.validate().unwrap_err().field().map(str::to_owned);
        let none: [&str; 0] = [];
        assert_eq!(refused(Command::argv(none)).as_deref(), Some("command"));
        assert_eq!(refused(Command::argv([""])).as_deref(), Some("command"));
        assert_eq!(refused(Command::shell("  \n")).as_deref(), Some("command"));
        assert_eq!(refused(Command::shell("a\0b")).as_deref(), Some("command"));
        let long = Command::shell("x".repeat(MAX_ARGUMENT_BYTES + 1));
        assert_eq!(refused(long).as_deref(), Some("command"));
        let many = Command::argv(vec!["x".repeat(1 << 10); 1 << 10]);
        assert_eq!(refused(many).as_deref(), Some("command"));
        let env = Command::shell("true").env("A=B", "x");
        assert_eq!(refused(env).as_deref(), Some("env"));
        let timeout = Command::shell("true").timeout(Duration::ZERO);
        assert_eq!(refused(timeout).as_deref(), Some("timeout"));
        let endless = Command::shell("true").timeout(MAX_COMMAND_TIMEOUT + Duration::from_nanos(1));
        assert_eq!(refused(endless).as_deref(), Some("timeout"));
        let longest = Command::shell("true").timeout(MAX_COMMAND_TIMEOUT);
        longest.validate().unwrap();
        let pty = Command::shell("true").pty(PtySize { cols: 0, rows: 1 });
        assert_eq!(refused(pty).as_deref(), Some("pty"));
    }

    #[test]
    fn signals_parse_by_name_and_number() {
        for (text, number) in [
            ("TERM", 15),
            ("sigkill", 9),
            ("19", 19),
            ("STOP", 19),
            ("64", 64),
        ] {
            assert_eq!(text.parse::<Signal>().unwrap().number(), number);
        }
        for bad in ["", "0", "65", "-9", "SIGSIG", "TERMINATE"] {
            assert!(bad.parse::<Signal>().is_err(), "{bad:?}");
        }
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        assert_eq!(Signal::STOP.to_string(), "SIGSTOP");
        assert!(serde_json::from_str::<Signal>("0").is_err());
    }

    #[test]
    fn a_killed_process_has_the_code_a_shell_gives_it() {
        assert_eq!(ExitStatus::from_signal(Signal::KILL).shell_code(), 137);
        assert_eq!(ExitStatus::from_code(3).shell_code(), 3);
        assert_eq!(ExitStatus::lost().shell_code(), -1);
    }
}
