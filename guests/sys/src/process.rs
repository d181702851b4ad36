//! Processes: start, replace, wait.

use std::io;

use crate::errno::{self, check};
use crate::raw;

/// A process to start, in the kernel's own terms: no search of `PATH`, nothing inherited that is not named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The program: absolute, or relative to `cwd`.
    pub path: &'a str,
    /// Arguments from the program's own name on, each ended by NUL; at most 1 MiB.
    pub args: &'a [u8],
    /// `NAME=value` strings, each ended by NUL; at most 1 MiB.
    pub env: &'a [u8],
    /// Working directory, absolute.
    pub cwd: &'a str,
    /// Descriptors: number in the child, number here.
    pub fds: &'a [[u32; 2]],
    /// What the child's [`take_state`] gives; at most 16 MiB.
    pub state: &'a [u8],
    /// A process group of its own.
    pub new_group: bool,
    /// A session of its own.
    pub new_session: bool,
}

impl Request<'_> {
    fn raw(&self) -> raw::Request<'_> {
        raw::Request {
            path: self.path.as_bytes(),
            args: self.args,
            env: self.env,
            cwd: self.cwd.as_bytes(),
            fds: self.fds,
            state: self.state,
            flags: u32::from(self.new_group) | u32::from(self.new_session) << 1,
        }
    }

    /// Starts the process; its pid. Fails with `NOENT`, `ACCES`, `NOEXEC`, `AGAIN` (process limit), `NOMEM`,
    /// `2BIG`, `NOTDIR`, `BADF`.
    pub fn spawn(&self) -> io::Result<i32> {
        let mut pid = 0;
        check(raw::spawn(&self.raw(), &mut pid))?;
        Ok(pid)
    }

    /// Replaces this process; returns only the error.
    #[must_use]
    pub fn exec(&self) -> io::Error {
        errno::error(raw::exec(&self.raw()))
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(u32);

impl Status {
    /// A process that ended by itself with `code`.
    #[must_use]
    pub fn exited(code: u8) -> Self {
        Self(u32::from(code))
    }

    /// The code of a process that ended by itself.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        self.signal().is_none().then_some(self.0.to_le_bytes()[0])
    }

    /// The signal that ended the process.
    #[must_use]
    pub fn signal(self) -> Option<u32> {
        Some(self.0 >> 8 & 0xff).filter(|&signal| signal != 0)
    }

    /// As a shell's `$?`: the code, or 128 + signal.
    #[must_use]
    pub fn shell_code(self) -> i32 {
        match self.signal() {
            Some(signal) => 128 + signal.cast_signed(),
            None => i32::from(self.0.to_le_bytes()[0]),
        }
    }

    /// Whether it ended by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.0 == 0
    }
}

/// Waits for a child: > 0 that one, -1 any, 0 any of the own group, < -1 of that group. Fails with `CHILD` when
/// there is none, with `INTR` when a caught signal arrives first.
pub fn wait(pid: i32) -> io::Result<(i32, Status)> {
    let (mut ended, mut status) = (0, 0);
    check(raw::wait(pid, 0, &mut ended, &mut status))?;
    Ok((ended, Status(status)))
}

/// As [`wait`], without waiting: `None` when no such child has ended.
pub fn try_wait(pid: i32) -> io::Result<Option<(i32, Status)>> {
    const NO_HANG: u32 = 1;
    let (mut ended, mut status) = (0, 0);
    check(raw::wait(pid, NO_HANG, &mut ended, &mut status))?;
    Ok((ended != 0).then_some((ended, Status(status))))
}

/// The bytes that the parent gave with [`Request::state`]; empty when none, and the second time.
pub fn take_state() -> io::Result<Vec<u8>> {
    crate::system::sized(raw::take_state)
}

/// This process.
#[must_use]
pub fn id() -> i32 {
    let mut out = 0;
    raw::getpid(&mut out);
    out
}

/// This process's parent.
#[must_use]
pub fn parent_id() -> i32 {
    let mut out = 0;
    raw::getppid(&mut out);
    out
}

/// The process group of `pid`, 0 = own.
pub fn group(pid: i32) -> io::Result<i32> {
    let mut out = 0;
    check(raw::getpgid(pid, &mut out))?;
    Ok(out)
}

/// Makes this process the leader of a session of its own.
pub fn new_session() -> io::Result<()> {
    check(raw::setsid())
}
