//! Files with modes and owners, which preview 1 does not know.
//!
//! Every call takes the working directory that relative paths start from; [`crate::start::cwd`] gives the
//! process's own.

use std::io;

use crate::errno::{self, check};
use crate::raw;

/// Follow a symbolic link at the end of the path.
const FOLLOW: u32 = 1;
/// The descriptor of `/` in every process.
const ROOT: u32 = 3;

/// Calls `call` with the root directory's descriptor and `path` as seen from there.
pub(crate) fn at<T>(
    cwd: &str,
    path: &str,
    call: impl FnOnce(u32, &[u8]) -> io::Result<T>,
) -> io::Result<T> {
    if path.is_empty() {
        return Err(errno::error(errno::NOENT));
    }
    if let Some(rest) = path.strip_prefix('/') {
        let rest = rest.trim_start_matches('/');
        return call(
            ROOT,
            if rest.is_empty() {
                b"."
            } else {
                rest.as_bytes()
            },
        );
    }
    let cwd = cwd.trim_matches('/');
    if cwd.is_empty() {
        return call(ROOT, path.as_bytes());
    }
    call(ROOT, [cwd, "/", path].concat().as_bytes())
}

/// What [`stat`] tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Names of the inode.
    pub nlink: u64,
    /// Bytes.
    pub size: u64,
    /// Kind and permissions, as Linux lays them out (`S_IFMT` and `0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content, nanoseconds since 1970.
    pub mtime_ns: u64,
    /// Last change of the inode, nanoseconds since 1970.
    pub ctime_ns: u64,
}

/// The kinds of [`Stat::mode`].
pub mod kind {
    /// All bits of the kind.
    pub const MASK: u32 = 0o170_000;
    /// Named pipe.
    pub const FIFO: u32 = 0o010_000;
    /// Character device.
    pub const CHARACTER: u32 = 0o020_000;
    /// Directory.
    pub const DIRECTORY: u32 = 0o040_000;
    /// Block device.
    pub const BLOCK: u32 = 0o060_000;
    /// Regular file.
    pub const FILE: u32 = 0o100_000;
    /// Symbolic link.
    pub const SYMLINK: u32 = 0o120_000;
    /// Socket.
    pub const SOCKET: u32 = 0o140_000;
}

impl Stat {
    fn decode(bytes: &[u8; 64]) -> Self {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        Self {
            dev: long(0),
            ino: long(8),
            nlink: long(16),
            size: long(24),
            mode: word(32),
            uid: word(36),
            gid: word(40),
            mtime_ns: long(48),
            ctime_ns: long(56),
        }
    }

    /// One of [`kind`].
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.mode & kind::MASK
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind() == kind::DIRECTORY
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind() == kind::FILE
    }
}

/// What `path` is, through symbolic links when `follow`.
pub fn stat(cwd: &str, path: &str, follow: bool) -> io::Result<Stat> {
    let mut out = [0; 64];
    let flags = if follow { FOLLOW } else { 0 };
    at(cwd, path, |dir, path| {
        check(raw::stat(dir, flags, path, &mut out))
    })?;
    Ok(Stat::decode(&out))
}

/// What the open descriptor `fd` is.
pub fn fstat(fd: u32) -> io::Result<Stat> {
    let mut out = [0; 64];
    check(raw::fstat(fd, &mut out))?;
    Ok(Stat::decode(&out))
}

/// Sets the permissions (`0o7777`) of `path`.
pub fn chmod(cwd: &str, path: &str, follow: bool, mode: u32) -> io::Result<()> {
    let flags = if follow { FOLLOW } else { 0 };
    at(cwd, path, |dir, path| {
        check(raw::chmod(dir, flags, path, mode))
    })
}

/// Sets owner and group of `path`; `u32::MAX` keeps one.
pub fn chown(cwd: &str, path: &str, follow: bool, uid: u32, gid: u32) -> io::Result<()> {
    let flags = if follow { FOLLOW } else { 0 };
    at(cwd, path, |dir, path| {
        check(raw::chown(dir, flags, path, uid, gid))
    })
}

/// Permissions to ask [`access`] for.
pub mod permission {
    /// Existence.
    pub const EXISTS: u32 = 0;
    /// Execution, or search of a directory.
    pub const EXECUTE: u32 = 1;
    /// Writing.
    pub const WRITE: u32 = 2;
    /// Reading.
    pub const READ: u32 = 4;
}

/// Whether this process may use `path` as `mask` ([`permission`]) says.
pub fn access(cwd: &str, path: &str, mask: u32) -> io::Result<()> {
    at(cwd, path, |dir, path| check(raw::access(dir, path, mask)))
}

/// Sets the bits that new files do not get; returns those of before.
pub fn set_umask(mask: u32) -> io::Result<u32> {
    let mut old = 0;
    check(raw::umask(mask & 0o777, &mut old))?;
    Ok(old)
}

/// The bits that new files do not get.
pub fn umask() -> io::Result<u32> {
    let old = set_umask(0)?;
    set_umask(old)?;
    Ok(old)
}
