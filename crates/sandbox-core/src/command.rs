//! Commands: what to start in a sandbox, and with what.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::check_env;
use crate::{Error, Result, SandboxPath, User};

/// The most bytes the arguments of one command may have together.
pub const MAX_COMMAND_BYTES: usize = 1 << 20;

/// The most bytes one argument may have, a shell line included, as Linux has it.
pub const MAX_ARGUMENT_BYTES: usize = (128 << 10) - 1;

/// The longest time limit of one command: 365 days. Clocks can be asked to add it without overflow.
pub const MAX_COMMAND_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

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
    /// [`Process::write_stdin`](crate::Process::write_stdin).
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

    /// Opens standard input for [`Process::write_stdin`](crate::Process::write_stdin).
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
}
