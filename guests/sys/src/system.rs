//! Facts about the sandbox and its processes.

use std::io;

use crate::errno::{self, check};
use crate::raw;

/// Calls `call` with a buffer that grows until the answer fits.
pub(crate) fn sized(call: fn(&mut [u8], &mut u32) -> i32) -> io::Result<Vec<u8>> {
    let mut buf = Vec::new();
    loop {
        let mut len = 0;
        match call(&mut buf, &mut len) {
            // The answer may grow between two calls.
            errno::RANGE => buf.resize(len as usize + len as usize / 8, 0),
            0 => {
                buf.truncate(len as usize);
                return Ok(buf);
            }
            other => return Err(errno::error(other)),
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// User and group of this process.
#[must_use]
pub fn user() -> (u32, u32) {
    let (mut uid, mut gid) = (0, 0);
    raw::getuid(&mut uid, &mut gid);
    (uid, gid)
}

/// The sandbox's name.
pub fn hostname() -> io::Result<String> {
    sized(raw::gethostname).map(text)
}

/// What [`limit`] can tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Limit {
    /// Descriptors of one process.
    OpenFiles = 0,
    /// Processes of the sandbox.
    Processes = 1,
    /// Memory of the sandbox, bytes.
    Memory = 2,
    /// Size of one file, bytes.
    FileSize = 3,
}

/// The limit; `u64::MAX` when there is none.
pub fn limit(kind: Limit) -> io::Result<u64> {
    let mut out = 0;
    check(raw::limit(kind as u32, &mut out))?;
    Ok(out)
}

/// CPU time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Times {
    /// Of this process, in its own code.
    pub user: u64,
    /// Of this process, in the kernel.
    pub system: u64,
    /// Of its ended and awaited children, in their own code.
    pub child_user: u64,
    /// Of its ended and awaited children, in the kernel.
    pub child_system: u64,
}

/// CPU time used so far.
pub fn times() -> io::Result<Times> {
    let mut out = [0; 4];
    check(raw::times(&mut out))?;
    let [user, system, child_user, child_system] = out;
    Ok(Times {
        user,
        system,
        child_user,
        child_system,
    })
}

/// One line of [`processes`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// `R` running, `S` waiting, `T` stopped, `Z` ended.
    pub state: char,
    /// CPU time, milliseconds.
    pub cpu_ms: u64,
    /// Memory, bytes.
    pub memory: u64,
    /// Arguments joined by spaces, without control characters.
    pub command: String,
}

impl Process {
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.splitn(8, '\t');
        let mut next = || columns.next();
        Some(Self {
            pid: next()?.parse().ok()?,
            parent: next()?.parse().ok()?,
            group: next()?.parse().ok()?,
            session: next()?.parse().ok()?,
            state: next()?.chars().next()?,
            cpu_ms: next()?.parse().ok()?,
            memory: next()?.parse().ok()?,
            command: next().unwrap_or_default().to_owned(),
        })
    }
}

/// All processes of the sandbox.
pub fn processes() -> io::Result<Vec<Process>> {
    let lines = text(sized(raw::processes)?);
    Ok(lines.lines().filter_map(Process::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_line_is_split_at_tabs_but_not_within_the_command() {
        let process = Process::parse("7\t2\t7\t7\tS\t12\t65536\tsh -c a b").unwrap();
        assert_eq!((process.pid, process.parent, process.state), (7, 2, 'S'));
        assert_eq!((process.cpu_ms, process.memory), (12, 65536));
        assert_eq!(process.command, "sh -c a b");
        assert_eq!(Process::parse("7\t2"), None);
    }
}
