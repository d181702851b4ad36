//! Processes: those that the server watches, and those that a sandbox has.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sandbox_core::{Command, Error, Pid, ProcessInfo, Result, SandboxPath, Stdin, User};
use serde::{Deserialize, Serialize};

use crate::duration::millis;
use crate::text::{self, is_false};
use crate::{CommandLine, DurationText, ExitStatus, SignalName, Time};

/// The size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PtySize {
    /// Columns, at least 1.
    pub cols: u16,
    /// Rows, at least 1.
    pub rows: u16,
}

impl From<sandbox_core::PtySize> for PtySize {
    fn from(size: sandbox_core::PtySize) -> Self {
        let sandbox_core::PtySize { cols, rows } = size;
        Self { cols, rows }
    }
}

impl From<PtySize> for sandbox_core::PtySize {
    fn from(size: PtySize) -> Self {
        let PtySize { cols, rows } = size;
        Self { cols, rows }
    }
}

/// A process to start. It outlives the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StartProcess {
    /// What to run.
    pub command: CommandLine,
    /// The working directory; without one, the sandbox's.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cwd: Option<SandboxPath>,
    /// Environment variables over the sandbox's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Who runs it; without one, the sandbox's user.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// Kills it and everything it started after this long; without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// A name to find it by, of the caller's choice: at most 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Whether its standard input is open; a terminal's always is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdin: bool,
    /// Runs it on a terminal of this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pty: Option<PtySize>,
}

impl StartProcess {
    /// The request for `command`, under `tag`.
    pub fn from_core(command: Command, tag: Option<String>) -> Self {
        Self {
            command: command.program.into(),
            cwd: command.cwd,
            env: command.env,
            user: command.user,
            timeout: command.timeout.map(DurationText),
            tag,
            stdin: command.stdin == Stdin::Piped,
            pty: command.pty.map(PtySize::from),
        }
    }

    /// The command, checked, and its tag.
    ///
    /// # Errors
    /// `InvalidSpec` as [`Command::validate`].
    pub fn into_core(self) -> Result<(Command, Option<String>)> {
        let mut command = self.command.into_core();
        command.cwd = self.cwd;
        command.env = self.env;
        command.user = self.user;
        command.timeout = self.timeout.map(Duration::from);
        command.pty = self.pty.map(sandbox_core::PtySize::from);
        if self.stdin {
            command = command.piped_stdin();
        }
        command.validate()?;
        Ok((command, self.tag))
    }
}

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// It runs.
    Running,
    /// It ended.
    Exited,
}

/// A process that the server watches. Its environment is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Process {
    /// Its id, never used again.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "proc_0123456789abcdef0123456789abcdef")
    )]
    pub id: String,
    /// Its id inside the sandbox.
    pub pid: Pid,
    /// What it runs.
    pub command: CommandLine,
    /// Its working directory, where the request named one.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cwd: Option<SandboxPath>,
    /// Who runs it, where the request said so.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// Its time limit in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The caller's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Whether it was started with open standard input.
    pub stdin: bool,
    /// The size of the terminal that it was started on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pty: Option<PtySize>,
    /// When it was started.
    pub started_at: Time,
    /// Whether it runs.
    pub status: ProcessStatus,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

impl Process {
    /// A process that runs `command` and has not ended.
    pub fn running(id: impl Into<String>, pid: Pid, command: &Command, started_at: Time) -> Self {
        Self {
            id: id.into(),
            pid,
            command: command.program.clone().into(),
            cwd: command.cwd.clone(),
            user: command.user.clone(),
            timeout_ms: command.timeout.map(millis),
            tag: None,
            stdin: command.stdin == Stdin::Piped,
            pty: command.pty.map(PtySize::from),
            started_at,
            status: ProcessStatus::Running,
            exit: None,
            ended_at: None,
        }
    }

    /// The caller's name for it.
    #[must_use]
    pub fn tagged(mut self, tag: Option<&str>) -> Self {
        self.tag = tag.map(str::to_owned);
        self
    }

    /// How and when it ended.
    #[must_use]
    pub fn ended(mut self, at: Time, status: sandbox_core::ExitStatus) -> Self {
        self.status = ProcessStatus::Exited;
        self.exit = Some(status.into());
        self.ended_at = Some(at);
        self
    }
}

/// The processes that the server watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessList {
    /// The processes, oldest first.
    pub processes: Vec<Process>,
}

/// Which process is meant, as the last part of a path: `proc_…`, a number inside the sandbox, or
/// `tag:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessRef {
    /// The one with this id.
    Id(String),
    /// The newest with this id inside the sandbox.
    Pid(Pid),
    /// The newest with this tag.
    Tag(String),
}

impl fmt::Display for ProcessRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Pid(pid) => pid.fmt(f),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

impl FromStr for ProcessRef {
    type Err = Error;

    /// # Errors
    /// `InvalidSpec` with field `pid`.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(tag) = text.strip_prefix("tag:") {
            return Ok(Self::Tag(tag.to_owned()));
        }
        if text.starts_with("proc_") {
            return Ok(Self::Id(text.to_owned()));
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(pid) if digits => Ok(Self::Pid(pid)),
            Ok(_) | Err(_) => {
                let message =
                    "must be a process id (proc_…), a number inside the sandbox, or tag:NAME";
                Err(Error::invalid("process.parse", "pid", message))
            }
        }
    }
}

/// What becomes of standard input after the bytes of a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct StdinQuery {
    /// Whether it is closed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub close: bool,
}

/// How long to wait for a process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// At most this long; a process that runs on is answered as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub timeout: Option<DurationText>,
}

/// Sends a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SendSignal {
    /// Which.
    pub signal: SignalName,
}

/// Changes the size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Columns, at least 1.
    pub cols: u16,
    /// Rows, at least 1.
    pub rows: u16,
}

impl From<sandbox_core::PtySize> for Resize {
    fn from(size: sandbox_core::PtySize) -> Self {
        let sandbox_core::PtySize { cols, rows } = size;
        Self { cols, rows }
    }
}

impl From<Resize> for sandbox_core::PtySize {
    fn from(size: Resize) -> Self {
        let Resize { cols, rows } = size;
        Self { cols, rows }
    }
}

/// Every process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SystemProcessList {
    /// The processes, by id.
    pub processes: Vec<SystemProcess>,
}

/// A process as the sandbox's own process table shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SystemProcess {
    /// Its id.
    pub pid: Pid,
    /// Its parent's id.
    pub parent: Pid,
    /// Its arguments; empty for one that has none to show.
    pub argv: Vec<String>,
    /// Who runs it, as a number.
    pub uid: u32,
    /// Whether it was started through the API, so that its number stands for it there.
    pub spawned: bool,
    /// Memory resident now in bytes.
    pub memory: u64,
    /// CPU time used so far, in milliseconds.
    pub cpu_time_ms: u64,
}

impl From<ProcessInfo> for SystemProcess {
    fn from(info: ProcessInfo) -> Self {
        Self {
            pid: info.pid,
            parent: info.parent,
            argv: info.argv,
            uid: info.uid,
            spawned: info.spawned,
            memory: info.memory,
            cpu_time_ms: millis(info.cpu_time),
        }
    }
}

impl From<SystemProcess> for ProcessInfo {
    fn from(process: SystemProcess) -> Self {
        let mut info = Self::new(process.pid, process.parent, process.argv);
        info.uid = process.uid;
        info.spawned = process.spawned;
        info.memory = process.memory;
        info.cpu_time = Duration::from_millis(process.cpu_time_ms);
        info
    }
}
