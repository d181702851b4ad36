//! Looking into directories that are to be watched, one entry at a time.
//!
//! How much is in a directory that appears is the guest's choice, so whoever walks decides after
//! each step whether others have their turn first.

use std::fs::{self, ReadDir};
use std::os::fd::RawFd;
use std::path::PathBuf;

use sandbox_core::{ErrorKind, SandboxPath};

use super::files::{Temporary, lossy_name, refuse};
use super::watch::{Directory, Tree, add_watch, too_many};
use crate::protocol::WireError;

/// The most directories of one watch: each is kept with its path.
const MAX_DIRECTORIES: usize = 1 << 16;

/// A directory that is being read.
#[derive(Debug)]
struct Open {
    entries: ReadDir,
    real: PathBuf,
    path: SandboxPath,
}

/// What is still to be looked into.
#[derive(Debug, Default)]
pub(super) struct Walk {
    next: Vec<(PathBuf, SandboxPath)>,
    open: Option<Open>,
}

/// What one step brought.
#[derive(Debug)]
pub(super) enum Step {
    /// Something that may be older than the watch of its directory.
    Found(SandboxPath),
    /// Nothing to tell.
    Nothing,
    /// There is nothing left.
    Done,
}

impl Walk {
    /// Has a directory looked into.
    pub(super) fn push(&mut self, real: PathBuf, path: SandboxPath) {
        self.next.push((real, path));
    }

    /// Whether there is nothing to look into.
    pub(super) fn is_done(&self) -> bool {
        self.next.is_empty() && self.open.is_none()
    }

    /// Forgets all that is below a directory that was moved away.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&SandboxPath) -> bool) {
        self.next.retain(|(_, path)| !is_gone(path));
        self.open.take_if(|open| is_gone(&open.path));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes one step, and watches in `tree` the directories that it comes to.
    ///
    /// # Errors
    /// `LimitExceeded` when there may be no more watches.
    pub(super) fn step(&mut self, tree: &mut Tree, inotify: RawFd) -> Result<Step, WireError> {
        if self.open.is_some() {
            return Ok(self.entry());
        }
        let Some((real, path)) = self.next.pop() else {
            return Ok(Step::Done);
        };
        if tree.directories.len() >= MAX_DIRECTORIES || self.next.len() >= MAX_DIRECTORIES {
            let message = format!("there are more than {MAX_DIRECTORIES} directories");
            return Err(refuse(ErrorKind::LimitExceeded, "path", message));
        }
        match add_watch(inotify, &real, false) {
            Ok(number) => self.enter(tree, number, real, path),
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                return Err(too_many(&error));
            }
            // Gone again, or not for this user.
            Err(_) => {}
        }
        Ok(Step::Nothing)
    }

    /// Notes that a directory is watched, and looks into it where that is asked for.
    pub(super) fn enter(&mut self, tree: &mut Tree, number: i32, real: PathBuf, path: SandboxPath) {
        if tree.recursive
            && let Ok(entries) = fs::read_dir(&real)
        {
            self.open = Some(Open {
                entries,
                real: real.clone(),
                path: path.clone(),
            });
        }
        tree.directories.insert(number, Directory { real, path });
    }

    fn entry(&mut self) -> Step {
        let Some(open) = &mut self.open else {
            return Step::Nothing;
        };
        let entry = match open.entries.next() {
            Some(Ok(entry)) => entry,
            Some(Err(_)) | None => {
                self.open = None;
                return Step::Nothing;
            }
        };
        let name = entry.file_name();
        let Ok(path) = open.path.join(lossy_name(&name)) else {
            return Step::Nothing;
        };
        if Temporary::recognise(&name).is_some() {
            return Step::Nothing;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let real = open.real.join(&name);
            self.next.push((real, path.clone()));
        }
        Step::Found(path)
    }
}
