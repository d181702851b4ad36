//! Descriptors by number: what a shell does with them.
//!
//! Numbers are those of the kernel: 0, 1 and 2 as given by the parent, 3 the directory `/`.

use std::io;
use std::os::fd::OwnedFd;

use crate::errno::{self, check};
use crate::{files, raw};

/// A pipe of 64 KiB: reading and writing end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_numbers()?;
    Ok((raw::owned(read), raw::owned(write)))
}

/// As [`pipe`], as numbers that the caller closes.
pub fn pipe_numbers() -> io::Result<(u32, u32)> {
    let (mut read, mut write) = (0, 0);
    check(raw::pipe(&mut read, &mut write))?;
    Ok((read, write))
}

/// A second descriptor for the same open file: the lowest free number that is at least `min`.
pub fn dup(fd: u32, min: u32) -> io::Result<u32> {
    let mut out = 0;
    check(raw::dup(fd, min, &mut out))?;
    Ok(out)
}

/// Makes `to` a second descriptor for what `from` is; what `to` was is closed.
pub fn dup2(from: u32, to: u32) -> io::Result<()> {
    check(raw::dup2(from, to))
}

/// Closes `fd`.
pub fn close(fd: u32) -> io::Result<()> {
    check(raw::fd_close(fd))
}

/// Reads at most `buf.len()` bytes; 0 at the end. Fails with `INTR` when a caught signal arrives.
pub fn read(fd: u32, buf: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    check(raw::fd_read(fd, buf, &mut count))?;
    Ok(count)
}

/// Writes some of `bytes`, and says how many.
pub fn write(fd: u32, bytes: &[u8]) -> io::Result<usize> {
    let mut count = 0;
    check(raw::fd_write(fd, bytes, &mut count))?;
    Ok(count)
}

/// Writes all of `bytes`, whatever signals are caught meanwhile.
pub fn write_all(fd: u32, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = errno::retry(|| write(fd, bytes))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Where `offset` bytes from the present position of `fd` are; moves there. Fails for pipes.
pub fn seek_by(fd: u32, offset: i64) -> io::Result<u64> {
    const CURRENT: u32 = 1;
    let mut at = 0;
    check(raw::fd_seek(fd, offset, CURRENT, &mut at))?;
    Ok(at)
}

/// What kind of thing a descriptor is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Terminals and devices.
    CharacterDevice,
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A pipe, or something without a type of its own.
    Other,
}

/// The kind of `fd`; fails when it is not open.
pub fn kind(fd: u32) -> io::Result<Kind> {
    let mut out = [0; 24];
    check(raw::fd_fdstat_get(fd, &mut out))?;
    Ok(match out[0] {
        2 => Kind::CharacterDevice,
        3 => Kind::Directory,
        4 => Kind::File,
        5 | 6 => Kind::Socket,
        _ => Kind::Other,
    })
}

/// Whether reads and writes of `fd` fail with `AGAIN` rather than wait.
pub fn set_nonblocking(fd: u32, nonblocking: bool) -> io::Result<()> {
    const NONBLOCK: u16 = 4;
    let mut out = [0; 24];
    check(raw::fd_fdstat_get(fd, &mut out))?;
    let flags = u16::from_le_bytes([out[2], out[3]]) & !NONBLOCK;
    let flags = if nonblocking { flags | NONBLOCK } else { flags };
    check(raw::fd_fdstat_set_flags(fd, u32::from(flags)))
}

/// Whether `fd` is a terminal.
#[must_use]
pub fn is_terminal(fd: u32) -> bool {
    const RIGHT_SEEK: u64 = 1 << 2;
    const RIGHT_TELL: u64 = 1 << 5;
    let mut out = [0; 24];
    if raw::fd_fdstat_get(fd, &mut out) != 0 {
        return false;
    }
    let rights = u64::from_le_bytes(out[8..16].try_into().unwrap_or_default());
    out[0] == 2 && rights & (RIGHT_SEEK | RIGHT_TELL) == 0
}

/// How [`open`] opens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mode {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// Made when missing.
    pub create: bool,
    /// Fails when it exists.
    pub exclusive: bool,
    /// Emptied first.
    pub truncate: bool,
    /// Fails when it is no directory.
    pub directory: bool,
}

/// Opens `path`, relative to `cwd` unless it begins with `/`; the lowest free number.
pub fn open(cwd: &str, path: &str, mode: Mode) -> io::Result<u32> {
    const READ: u64 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 21 | 1 << 27 | 1 << 14;
    const WRITE: u64 =
        1 << 6 | 1 << 8 | 1 << 22 | 1 << 23 | 1 << 0 | 1 << 2 | 1 << 5 | 1 << 21 | 1 << 27;
    let how = raw::Open {
        follow: true,
        flags: u32::from(mode.create)
            | u32::from(mode.directory) << 1
            | u32::from(mode.exclusive) << 2
            | u32::from(mode.truncate) << 3,
        rights: if mode.read { READ } else { 0 } | if mode.write { WRITE } else { 0 },
        fd_flags: u32::from(mode.append),
    };
    let mut out = 0;
    files::at(cwd, path, |dir, path| {
        check(raw::path_open(dir, path, &how, &mut out))
    })?;
    Ok(out)
}
