//! Commands that run to their end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use sandbox_core::{
    Command, Error, ErrorKind, ExecOutput, Exit, KillCause, Program, Result, SandboxPath, User,
};
use serde::{Deserialize, Serialize};

use crate::duration::millis;
use crate::text::{self, is_false};
use crate::{DurationText, SignalName};

/// How long a command may run where the request does not say: 30 seconds.
pub const DEFAULT_EXEC_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time limit of a command whose end the caller waits for: 5 minutes.
pub const MAX_EXEC_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What to run: a line for the sandbox's shell, or a program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    untagged,
    expecting = "must be a line for the shell, or a list of a program and its arguments"
)]
pub enum CommandLine {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
}

impl From<Program> for CommandLine {
    fn from(program: Program) -> Self {
        match program {
            Program::Shell(line) => Self::Shell(line),
            Program::Argv(argv) => Self::Argv(argv),
        }
    }
}

impl CommandLine {
    /// A command of this alone.
    pub fn into_core(self) -> Command {
        match self {
            Self::Shell(line) => Command::shell(line),
            Self::Argv(argv) => Command::argv(argv),
        }
    }
}

/// A command to run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// What to run.
    pub command: CommandLine,
    /// Kills it and everything it started after this long: `30s` where none is given, at most `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// The working directory; without one, the sandbox's.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "/srv/app"))]
    pub cwd: Option<SandboxPath>,
    /// Environment variables over the sandbox's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Who runs it: a name or a number, either with `:group`; without one, the sandbox's user.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// Its standard input as text; without this and `stdin_base64` it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Its standard input in base 64, for bytes that are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin_base64: Option<String>,
}

impl ExecRequest {
    /// A request for `command` and nothing else.
    pub fn new(command: CommandLine) -> Self {
        Self {
            command,
            timeout: None,
            cwd: None,
            env: BTreeMap::new(),
            user: None,
            stdin: None,
            stdin_base64: None,
        }
    }

    /// The request for `command` with `input`; its terminal, where it has one, is left out.
    pub fn from_core(command: Command, input: Option<Bytes>) -> Self {
        let (stdin, stdin_base64) = match input.map(|bytes| split_text(&bytes)) {
            None => (None, None),
            Some((text, None)) => (Some(text), None),
            Some((_, base64)) => (None, base64),
        };
        Self {
            command: command.program.into(),
            timeout: command.timeout.map(DurationText),
            cwd: command.cwd,
            env: command.env,
            user: command.user,
            stdin,
            stdin_base64,
        }
    }

    /// The command, checked, and its input. The time limit is [`DEFAULT_EXEC_TIMEOUT`] where none
    /// is given; standard input is piped where there is input.
    ///
    /// # Errors
    /// `InvalidSpec` as [`Command::validate`]; with field `timeout` over [`MAX_EXEC_TIMEOUT`]; with
    /// field `stdin_base64` when that is no base 64, or `stdin` is there too.
    pub fn into_core(self) -> Result<(Command, Option<Bytes>)> {
        let input = self.input()?;
        let mut command = self.command.into_core();
        let timeout = self.timeout.map_or(DEFAULT_EXEC_TIMEOUT, Duration::from);
        if timeout > MAX_EXEC_TIMEOUT {
            let message = "must be at most 5m: start a process for what takes longer";
            return Err(Error::invalid("exec.parse", "timeout", message));
        }
        command.timeout = Some(timeout);
        command.cwd = self.cwd;
        command.env = self.env;
        command.user = self.user;
        if input.is_some() {
            command = command.piped_stdin();
        }
        command.validate()?;
        Ok((command, input))
    }

    fn input(&self) -> Result<Option<Bytes>> {
        match (&self.stdin, &self.stdin_base64) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
            (None, Some(base64)) => decode_base64("stdin_base64", base64).map(Some),
            (Some(_), Some(_)) => {
                let message = "has no place beside stdin";
                Err(Error::invalid("exec.parse", "stdin_base64", message))
            }
        }
    }
}

/// The text of `bytes`, what is not UTF-8 replaced; their base 64 where anything was.
fn split_text(bytes: &[u8]) -> (String, Option<String>) {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => (text.to_owned(), None),
        Cow::Owned(lossy) => (lossy, Some(BASE64.encode(bytes))),
    }
}

/// Reads base 64.
///
/// # Errors
/// `InvalidSpec` naming `field`.
pub(crate) fn decode_base64(field: &'static str, text: &str) -> Result<Bytes> {
    BASE64
        .decode(text)
        .map(Bytes::from)
        .map_err(|e| Error::invalid("base64.parse", field, "is not base 64").with_source(e))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExitStatus {
    /// The code that it returned, 0 to 255; 128 + the signal's number where a signal killed it; -1
    /// where nobody can say, because the sandbox ended under it.
    pub exit_code: i32,
    /// The signal that killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalName>,
    /// Whether its time limit killed it.
    #[serde(default)]
    pub timed_out: bool,
    /// Whether the sandbox's memory limit killed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
}

impl From<sandbox_core::ExitStatus> for ExitStatus {
    fn from(status: sandbox_core::ExitStatus) -> Self {
        let signal = match status.exit {
            Exit::Signal(signal) => Some(SignalName(signal)),
            Exit::Code(_) | Exit::Lost => None,
        };
        Self {
            exit_code: status.shell_code(),
            signal,
            timed_out: status.cause == Some(KillCause::Timeout),
            oom_killed: status.cause == Some(KillCause::OutOfMemory),
        }
    }
}

impl TryFrom<ExitStatus> for sandbox_core::ExitStatus {
    type Error = Error;

    /// # Errors
    /// `Internal` for a code that no process can have.
    fn try_from(status: ExitStatus) -> Result<Self> {
        let exit = match (status.signal, u8::try_from(status.exit_code)) {
            (Some(SignalName(signal)), _) => Exit::Signal(signal),
            (None, Ok(code)) => Exit::Code(code),
            (None, Err(_)) if status.exit_code == -1 => Exit::Lost,
            (None, Err(e)) => {
                let message = format!("{} is no exit code", status.exit_code);
                let error = Error::new(ErrorKind::Internal, "exit.parse", message);
                return Err(error.with_source(e));
            }
        };
        let cause = match (status.timed_out, status.oom_killed) {
            (true, _) => Some(KillCause::Timeout),
            (false, true) => Some(KillCause::OutOfMemory),
            (false, false) => None,
        };
        Ok(Self { exit, cause })
    }
}

/// A command that has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecResult {
    /// Its standard output as text, bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// Its standard output in base 64, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// Its standard error, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub status: ExitStatus,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Whether there was more output than an answer holds; the rest was thrown away.
    #[serde(default)]
    pub truncated: bool,
}

impl ExecResult {
    /// What `output` says, of a command that ran for `duration`.
    pub fn new(output: &ExecOutput, duration: Duration) -> Self {
        Self {
            truncated: output.truncated,
            ..Self::from_parts(&output.stdout, &output.stderr, output.status, duration)
        }
    }

    /// The result of a command that wrote this and ended so, with all of its output.
    pub fn from_parts(
        stdout: &[u8],
        stderr: &[u8],
        status: sandbox_core::ExitStatus,
        duration: Duration,
    ) -> Self {
        let (stdout, stdout_base64) = split_text(stdout);
        let (stderr, stderr_base64) = split_text(stderr);
        Self {
            stdout,
            stderr,
            stdout_base64,
            stderr_base64,
            status: status.into(),
            duration_ms: millis(duration),
            truncated: false,
        }
    }

    /// Its standard output, byte for byte.
    ///
    /// # Errors
    /// `InvalidSpec` with field `stdout_base64` when that is no base 64.
    pub fn stdout_bytes(&self) -> Result<Bytes> {
        whole("stdout_base64", &self.stdout, self.stdout_base64.as_deref())
    }

    /// Its standard error, byte for byte.
    ///
    /// # Errors
    /// `InvalidSpec` with field `stderr_base64` when that is no base 64.
    pub fn stderr_bytes(&self) -> Result<Bytes> {
        whole("stderr_base64", &self.stderr, self.stderr_base64.as_deref())
    }
}

fn whole(field: &'static str, text: &str, base64: Option<&str>) -> Result<Bytes> {
    match base64 {
        Some(base64) => decode_base64(field, base64),
        None => Ok(Bytes::copy_from_slice(text.as_bytes())),
    }
}
