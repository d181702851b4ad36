//! Files with modes and owners, which preview 1 does not know.
//!
//! Every call takes the working directory that relative paths start from; [`crate::start::cwd`] gives the
//! process's own.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::errno::{self, check};
use crate::{fd, raw};

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
    // The kernel tells absolute paths by the slash that stands before them in memory, for the sake of programs whose
    // library takes it away; so there is one.
    let whole = match path.strip_prefix('/') {
        Some(rest) => ["/", rest.trim_start_matches('/')].concat(),
        None => [
            "/",
            cwd.trim_matches('/'),
            if cwd.len() > 1 { "/" } else { "" },
            path,
        ]
        .concat(),
    };
    let whole = if whole == "/" { "/.".to_owned() } else { whole };
    call(ROOT, &whole.as_bytes()[1..])
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

/// The text of the symbolic link `path`.
pub fn read_link(cwd: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; 4096];
    let mut used = 0;
    at(cwd, path, |dir, path| {
        check(raw::path_readlink(dir, path, &mut buf, &mut used))
    })?;
    buf.truncate(used);
    Ok(buf)
}

/// Takes the name `path` away from what is no directory.
pub fn remove(cwd: &str, path: &str) -> io::Result<()> {
    at(cwd, path, |dir, path| {
        check(raw::path_unlink_file(dir, path))
    })
}

/// All of the file `path`.
pub fn read(cwd: &str, path: &str) -> io::Result<Vec<u8>> {
    let file = open(
        cwd,
        path,
        fd::Mode {
            read: true,
            ..fd::Mode::default()
        },
    )?;
    let mut out = Vec::new();
    let mut filled = 0;
    loop {
        if out.len() - filled < 512 {
            out.resize((out.len() * 2).max(4096), 0);
        }
        match errno::retry(|| fd::read(number(&file), &mut out[filled..]))? {
            0 => break,
            count => filled += count,
        }
    }
    out.truncate(filled);
    Ok(out)
}

/// The names in the directory `path`, `.` and `..` too if the kernel tells them.
pub fn names(cwd: &str, path: &str) -> io::Result<Vec<Vec<u8>>> {
    /// Next entry (8), inode (8), length of the name (4), kind (4).
    const HEAD: usize = 24;
    let mode = fd::Mode {
        directory: true,
        read: true,
        ..fd::Mode::default()
    };
    let dir = open(cwd, path, mode)?;
    let mut names = Vec::new();
    let mut buf = vec![0; 4096];
    let mut cookie = 0;
    loop {
        let mut used = 0;
        check(raw::fd_readdir(number(&dir), &mut buf, cookie, &mut used))?;
        let mut rest = &buf[..used];
        let before = cookie;
        while let Some((head, after)) = rest.split_at_checked(HEAD) {
            let len = u32::from_le_bytes(head[16..20].try_into().unwrap_or_default()) as usize;
            // An entry that is cut off comes again, whole.
            let Some((name, after)) = after.split_at_checked(len) else {
                break;
            };
            cookie = u64::from_le_bytes(head[..8].try_into().unwrap_or_default());
            names.push(name.to_vec());
            rest = after;
        }
        if used < buf.len() {
            return Ok(names);
        }
        if cookie == before {
            // Not even one fits.
            buf.resize(buf.len() * 2, 0);
        }
    }
}

fn open(cwd: &str, path: &str, mode: fd::Mode) -> io::Result<OwnedFd> {
    fd::open(cwd, path, mode).map(raw::owned)
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
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
