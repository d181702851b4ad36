//! Directories by descriptor, and what is done to one name in them.
//!
//! This program may do what the users inside may not, and they may change any directory of theirs
//! while it works there. So a directory is opened once, and what is made is made, looked at and
//! changed by descriptor: a path that is walked a second time may lead elsewhere.
#![expect(
    unsafe_code,
    reason = "files relative to a directory need system calls"
)]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::agent::sys::fd::{check, own};

/// A file's attributes, as far as they are needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    kind: u32,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Attributes {
    pub(super) fn is_file(self) -> bool {
        self.kind == libc::S_IFREG
    }

    pub(super) fn is_dir(self) -> bool {
        self.kind == libc::S_IFDIR
    }

    fn of(stat: &libc::stat) -> Self {
        Self {
            kind: stat.st_mode & libc::S_IFMT,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }
    }
}

pub(super) fn c_string(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Opens the directory at `path`, to do something in it.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    open_raw(libc::AT_FDCWD, path.as_os_str(), libc::O_PATH)
}

/// Opens the directory `name` in `directory`, to do something in it; a link is followed.
pub(super) fn enter(directory: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    open_raw(directory.as_raw_fd(), name, libc::O_PATH)
}

/// Opens the directory `name` in `directory`, to read and change it; a link is not followed.
pub(super) fn open_itself(directory: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW;
    open_raw(directory.as_raw_fd(), name, flags)
}

fn open_raw(directory: RawFd, name: &OsStr, flags: i32) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    let flags = flags | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the name ends with a zero.
    own(unsafe { libc::openat(directory, name.as_ptr(), flags) })
}

/// Makes the directory `name`, for nobody else to enter yet.
pub(super) fn make_directory(directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: the name ends with a zero.
    check(unsafe { libc::mkdirat(directory.as_raw_fd(), name.as_ptr(), 0o700) })?;
    Ok(())
}

/// Makes the file `name`, which is not there yet, for nobody else to read.
pub(super) fn create(directory: &OwnedFd, name: &CString) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the name ends with a zero.
    own(unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, 0o600) })
}

/// Gives the file `from` the name `to`, whatever has that now.
pub(super) fn rename(directory: &OwnedFd, from: &CString, to: &CString) -> io::Result<()> {
    let directory = directory.as_raw_fd();
    // SAFETY: both names end with a zero.
    check(unsafe { libc::renameat(directory, from.as_ptr(), directory, to.as_ptr()) })?;
    Ok(())
}

/// Removes a file, or with `AT_REMOVEDIR` an empty directory.
pub(super) fn unlink(directory: &OwnedFd, name: &CString, flags: i32) -> io::Result<()> {
    // SAFETY: the name ends with a zero.
    check(unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), flags) })?;
    Ok(())
}

/// The attributes of `name` in `directory`; a link's own.
pub(super) fn attributes(directory: &OwnedFd, name: &CString) -> io::Result<Attributes> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the name ends with a zero; the kernel fills the structure, of which any bytes are
    // valid.
    let stat = unsafe {
        let (directory, flags) = (directory.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
        let written = libc::fstatat(directory, name.as_ptr(), stat.as_mut_ptr(), flags);
        check(written)?;
        stat.assume_init()
    };
    Ok(Attributes::of(&stat))
}
