//! Removing a whole tree, whatever its shape and whoever changes it meanwhile.
//!
//! Only names relative to open directories are used, and no link is followed: a guest that swaps
//! directories while this runs cannot lead it elsewhere. Neither the call stack nor the number of
//! open files grows with the depth, which is the guest's choice: what lies too deep is first moved
//! up.
#![expect(
    unsafe_code,
    reason = "files relative to a directory need system calls"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::agent::sys::fd::{check, own, random};

/// How many directories are open at once.
const MAX_OPEN: usize = 64;
/// How often it begins again because somebody else keeps filling the tree.
const ROUNDS: u32 = 10_000;

/// Removes the directory at `path` and everything below.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    for _ in 0..ROUNDS {
        let top = open_at(libc::AT_FDCWD, &name)?;
        let round = empty(top)?;
        match remove_at(libc::AT_FDCWD, &name, libc::AT_REMOVEDIR) {
            Err(error) if error.raw_os_error() == Some(libc::ENOTEMPTY) => match round.failure {
                Some(failure) if round.removed == 0 => return Err(failure),
                Some(_) | None => {}
            },
            done => return done,
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOTEMPTY))
}

/// An open directory that is being read.
struct Directory {
    stream: *mut libc::DIR,
    name: CString,
}

impl Directory {
    fn new(fd: OwnedFd, name: CString) -> io::Result<Self> {
        let raw = fd.into_raw_fd();
        // SAFETY: the stream owns the descriptor from here on.
        let stream = unsafe { libc::fdopendir(raw) };
        if stream.is_null() {
            let error = io::Error::last_os_error();
            // SAFETY: fdopendir failed, so the descriptor is still nobody's.
            drop(own(raw));
            return Err(error);
        }
        Ok(Self { stream, name })
    }

    fn fd(&self) -> RawFd {
        // SAFETY: the stream is open until it is dropped.
        unsafe { libc::dirfd(self.stream) }
    }

    /// The next name but `.` and `..`.
    fn next(&mut self) -> Option<CString> {
        loop {
            // SAFETY: the stream is open, and only this reads it; the entry is valid until the next
            // call, and its name ends with a zero.
            let name = unsafe {
                let entry = libc::readdir64(self.stream);
                if entry.is_null() {
                    return None;
                }
                CStr::from_ptr((*entry).d_name.as_ptr())
            };
            if name != c"." && name != c".." {
                return Some(name.to_owned());
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: the stream is open and nobody uses it after this.
        unsafe { libc::closedir(self.stream) };
    }
}

/// Whether nothing is in a directory.
pub(super) fn is_empty(directory: &impl AsRawFd) -> io::Result<bool> {
    let again = open_at(directory.as_raw_fd(), c".")?;
    let mut names = Directory::new(again, CString::default())?;
    Ok(names.next().is_none())
}

#[derive(Default)]
struct Round {
    removed: u64,
    failure: Option<io::Error>,
}

impl Round {
    fn note(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.removed += 1,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => self.failure = Some(error),
        }
    }
}

/// Removes what is in `top`, as far as one pass gets.
fn empty(top: OwnedFd) -> io::Result<Round> {
    let mut round = Round::default();
    let mut open = vec![Directory::new(top, CString::default())?];
    while let Some(directory) = open.last_mut() {
        let fd = directory.fd();
        let Some(name) = directory.next() else {
            leave(&mut open, &mut round);
            continue;
        };
        match remove_at(fd, &name, 0) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EISDIR | libc::EPERM)) => {
                if let Err(error) = enter(&mut open, name) {
                    round.note(Err(error));
                }
            }
            result => round.note(result),
        }
    }
    Ok(round)
}

fn leave(open: &mut Vec<Directory>, round: &mut Round) {
    if let Some(done) = open.pop()
        && let Some(parent) = open.last()
    {
        round.note(remove_at(parent.fd(), &done.name, libc::AT_REMOVEDIR));
    }
}

fn enter(open: &mut Vec<Directory>, name: CString) -> io::Result<()> {
    let (Some(top), Some(last)) = (open.first(), open.last()) else {
        return Ok(());
    };
    if open.len() < MAX_OPEN {
        let fd = open_at(last.fd(), &name)?;
        open.push(Directory::new(fd, name)?);
        return Ok(());
    }
    let flat = format!(".sandbox-agent-deep-{:016x}", random());
    // Hexadecimal digits hold no zero.
    let flat = CString::new(flat).unwrap_or_default();
    // SAFETY: both names end with a zero.
    check(unsafe { libc::renameat(last.fd(), name.as_ptr(), top.fd(), flat.as_ptr()) })?;
    Ok(())
}

fn open_at(directory: RawFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the name ends with a zero.
    own(unsafe { libc::openat(directory, name.as_ptr(), flags) })
}

fn remove_at(directory: RawFd, name: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: the name ends with a zero.
    check(unsafe { libc::unlinkat(directory, name.as_ptr(), flags) })?;
    Ok(())
}
