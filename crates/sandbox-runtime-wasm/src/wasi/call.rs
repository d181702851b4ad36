//! What every call has at hand.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cwd::{self, Paths};
use super::memory::Guest;
use crate::fs::{At, Caller, Handle};
use crate::kernel::{Description, Errno, Fd, Files, Object, Process, Result};

/// One call of a guest: its memory, and the process it is.
pub(crate) struct Call<'a> {
    pub(crate) memory: Guest<'a>,
    pub(crate) process: &'a Process,
    /// What its relative paths are.
    pub(crate) paths: Paths,
}

impl Call<'_> {
    /// What `fd` stands for.
    ///
    /// # Errors
    /// `BADF`.
    pub(super) fn description(&self, fd: Fd) -> Result<Arc<Description>> {
        description(self.process, fd)
    }

    /// The sandbox's files.
    pub(super) fn files(&self) -> &Arc<Files> {
        &self.process.machine.files
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        self.process.machine.clock.realtime()
    }

    /// Who calls, and when, for the file system.
    pub(super) fn caller(&self) -> Caller {
        self.process.machine.caller(self.process.user)
    }

    /// Permission bits of something new, as the umask leaves them.
    pub(super) fn mode(&self, mode: u32) -> u32 {
        masked(self.process, mode)
    }

    /// A path of the guest: from where, and its text.
    ///
    /// # Errors
    /// `BADF`, `NOTDIR` for a descriptor that is no directory; those of [`Guest::path`].
    pub(super) fn place(&self, fd: Fd, path: u32, len: u32) -> Result<Place<'_>> {
        let (dir, preopened) = {
            let descriptors = self.process.descriptors.lock();
            let descriptor = descriptors.get(fd)?;
            (descriptor.description.clone(), descriptor.preopen.is_some())
        };
        let text = self.memory.path(path, len)?;
        let given = preopened && self.paths == Paths::Given;
        let path = if given && !text.is_empty() && !self.memory.is_after_slash(path) {
            cwd::below(&self.process.image().cwd, text)
        } else {
            text.into()
        };
        Place::new(dir, path)
    }
}

/// What descriptor `fd` of `process` stands for.
///
/// # Errors
/// `BADF`.
pub(crate) fn description(process: &Process, fd: Fd) -> Result<Arc<Description>> {
    let descriptors = process.descriptors.lock();
    Ok(descriptors.get(fd)?.description.clone())
}

/// Permission bits of something new, as the umask of `process` leaves them.
pub(crate) fn masked(process: &Process, mode: u32) -> u32 {
    mode & !process.umask.load(Ordering::Relaxed)
}

/// A path and the open directory that it starts from. The directory stays open as long as this
/// lives: it must outlive the lock of the files, never the other way round.
pub(crate) struct Place<'m> {
    dir: Arc<Description>,
    path: Cow<'m, str>,
}

impl<'m> Place<'m> {
    /// `path` seen from `dir`.
    ///
    /// # Errors
    /// `NOTDIR` when that is no directory.
    pub(crate) fn new(dir: Arc<Description>, path: impl Into<Cow<'m, str>>) -> Result<Self> {
        let path = path.into();
        match &dir.object {
            Object::Directory(_) => Ok(Self { dir, path }),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// This as the file system takes it.
    pub(crate) fn at(&self) -> Result<At<'_>> {
        Ok(At::below(self.dir()?, &self.path))
    }

    /// The handle of the directory.
    pub(super) fn dir(&self) -> Result<Handle> {
        self.dir
            .handle()
            .map(|handle| handle.get())
            .ok_or(Errno::NOTDIR)
    }
}
