//! Everything a new process needs, laid out before it exists: a process that shares this one's
//! memory until it runs its program must not allocate.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sandbox_core::{Command, ErrorKind, Pid, Program};

use super::Identity;
use crate::protocol::WireError;

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the process was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stage {
    Session = 1,
    Streams = 2,
    User = 3,
    Directory = 4,
    Program = 5,
    Process = 6,
}

impl Stage {
    fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Session,
            2 => Self::Streams,
            3 => Self::User,
            4 => Self::Directory,
            5 => Self::Program,
            _ => Self::Process,
        }
    }
}

/// Why a process did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

/// Strings and the null-terminated array of pointers to them.
#[derive(Debug)]
struct Strings {
    pointers: Vec<*const u8>,
    _owned: Vec<CString>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = owned.iter().map(|one| one.as_ptr().cast()).collect();
        pointers.push(std::ptr::null());
        Self {
            pointers,
            _owned: owned,
        }
    }
}

/// A process to be.
#[derive(Debug)]
pub(crate) struct Plan {
    argv: Strings,
    /// `/bin/sh`, room for the program's path, the arguments: for a program without `#!`.
    script_argv: Strings,
    environment: Strings,
    programs: Vec<CString>,
    pub(super) directory: Option<CString>,
    pub(super) ids: Option<(u32, u32, Vec<u32>)>,
    pub(super) stdio: [RawFd; 3],
    pub(super) terminal: bool,
    failure: AtomicU64,
    pub(super) killable_first: AtomicBool,
}

impl Plan {
    pub(crate) fn new(
        command: &Command,
        environment: &BTreeMap<OsString, OsString>,
        identity: Option<&Identity>,
    ) -> Result<Self, WireError> {
        let argv = strings(command.to_argv(), "command")?;
        let program = match &command.program {
            Program::Shell(_) => "/bin/sh",
            Program::Argv(argv) => argv.first().map_or("", String::as_str),
        };
        let path = environment.get(std::ffi::OsStr::new("PATH"));
        let programs = strings(candidates(program, path), "command")?;
        let mut script_argv = vec![c"/bin/sh".to_owned(), CString::default()];
        script_argv.extend(argv.iter().skip(1).cloned());
        let directory = command.cwd.as_ref().map(|cwd| cwd.as_str().to_owned());
        Ok(Self {
            argv: Strings::new(argv),
            script_argv: Strings::new(script_argv),
            environment: Strings::new(assignments(environment)?),
            programs,
            directory: strings(directory, "cwd")?.pop(),
            ids: identity.map(|one| (one.uid, one.gid, one.groups.clone())),
            stdio: [0, 1, 2],
            terminal: command.pty.is_some(),
            failure: AtomicU64::new(0),
            killable_first: AtomicBool::new(false),
        })
    }

    pub(super) fn argv(&self) -> *const *const u8 {
        self.argv.pointers.as_ptr()
    }

    pub(super) fn environment(&self) -> *const *const u8 {
        self.environment.pointers.as_ptr()
    }

    /// The arguments that give `program` to the shell, in an array nobody else reads.
    pub(super) fn script_argv(&self) -> *const *const u8 {
        self.script_argv.pointers.as_ptr()
    }

    pub(super) fn programs(&self) -> &[CString] {
        &self.programs
    }

    pub(super) fn fail(&self, stage: Stage, errno: i32) {
        let packed = (stage as u64) << 32 | u64::from(errno.unsigned_abs());
        self.failure.store(packed, Ordering::Release);
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        let packed = self.failure.load(Ordering::Acquire);
        (packed != 0).then(|| Failure {
            stage: Stage::from_number(packed >> 32),
            errno: packed as u32 as i32,
        })
    }

    /// Whether the process made itself the first to go when memory runs out.
    pub(super) fn is_killable_first(&self) -> bool {
        self.killable_first.load(Ordering::Acquire)
    }
}

fn strings(
    texts: impl IntoIterator<Item = String>,
    field: &str,
) -> Result<Vec<CString>, WireError> {
    let texts = texts.into_iter().map(CString::new);
    texts
        .collect::<Result<_, _>>()
        .map_err(|_| WireError::of(ErrorKind::InvalidSpec, field, "contains a NUL byte"))
}

fn assignments(environment: &BTreeMap<OsString, OsString>) -> Result<Vec<CString>, WireError> {
    let lines = environment.iter().map(|(name, value)| {
        let mut line = name.clone();
        line.push("=");
        line.push(value);
        CString::new(line.into_vec())
    });
    lines
        .collect::<Result<_, _>>()
        .map_err(|_| WireError::of(ErrorKind::InvalidSpec, "env", "contains a NUL byte"))
}

/// The paths at which `program` may be.
fn candidates(program: &str, path: Option<&OsString>) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = path.map_or(DEFAULT_PATH.into(), |path| path.to_string_lossy());
    // An empty entry would mean the working directory, which nobody means.
    path.split(':')
        .filter(|directory| !directory.is_empty())
        .map(|directory| format!("{directory}/{program}"))
        .collect()
}

/// The environment of a command: the sandbox's own, who runs it, the command's.
pub(crate) fn environment(
    own: &BTreeMap<OsString, OsString>,
    command: &Command,
    identity: &Identity,
    changes_user: bool,
) -> BTreeMap<OsString, OsString> {
    let mut merged = own.clone();
    let name = identity.name.clone();
    let home = identity.home.clone().unwrap_or_else(|| "/".to_owned());
    let about = [
        ("HOME", Some(home)),
        ("USER", name.clone()),
        ("LOGNAME", name),
        ("PATH", Some(DEFAULT_PATH.to_owned())),
        ("TERM", command.pty.map(|_| "xterm".to_owned())),
    ];
    for (variable, value) in about {
        let personal = matches!(variable, "HOME" | "USER" | "LOGNAME");
        let known = merged.contains_key(std::ffi::OsStr::new(variable));
        if known && !(changes_user && personal) {
            continue;
        }
        match value {
            Some(value) => merged.insert(variable.into(), value.into()),
            None => merged.remove(std::ffi::OsStr::new(variable)),
        };
    }
    let given = command.env.iter();
    merged.extend(given.map(|(name, value)| (name.into(), value.into())));
    merged
}

impl Failure {
    /// The error a client gets for it.
    pub(crate) fn describe(self, command: &Command) -> WireError {
        let reason = std::io::Error::from_raw_os_error(self.errno);
        let of = |kind, field: &str, what: String| WireError::of(kind, field, what);
        match (self.stage, self.errno) {
            (_, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => WireError::new(
                ErrorKind::LimitExceeded,
                format!("there may be no more processes: {reason}"),
            ),
            (Stage::Directory, libc::ENOENT | libc::ENOTDIR) => {
                let cwd = command.cwd.as_ref().map_or("", |cwd| cwd.as_str());
                of(
                    ErrorKind::NotFound,
                    "cwd",
                    format!("there is no directory {cwd:?}"),
                )
            }
            (Stage::Directory, _) => of(ErrorKind::PermissionDenied, "cwd", reason.to_string()),
            (Stage::User, _) => of(
                ErrorKind::PermissionDenied,
                "user",
                format!("this sandbox cannot run commands as another user: {reason}"),
            ),
            (Stage::Program, libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG) => {
                of(ErrorKind::NotFound, "command", missing(command))
            }
            (Stage::Program, libc::E2BIG) => of(
                ErrorKind::LimitExceeded,
                "command",
                format!("arguments and environment are too long together: {reason}"),
            ),
            (Stage::Program, _) => of(
                ErrorKind::PermissionDenied,
                "command",
                format!("{:?} may not be run: {reason}", program(command)),
            ),
            (Stage::Session | Stage::Streams | Stage::Process, _) => WireError::new(
                ErrorKind::Internal,
                format!("the process could not be set up: {reason}"),
            ),
        }
    }
}

fn program(command: &Command) -> String {
    command.to_argv().into_iter().next().unwrap_or_default()
}

fn missing(command: &Command) -> String {
    let program = program(command);
    if program.contains('/') && std::path::Path::new(&program).is_file() {
        return format!("{program:?} needs an interpreter that is not there");
    }
    format!("there is no program {program:?}")
}

/// A process id as the client sees it.
pub(crate) fn public_pid(pid: i32) -> Pid {
    pid.unsigned_abs()
}
