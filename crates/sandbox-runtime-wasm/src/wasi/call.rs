//! What every call has at hand.

use std::sync::Arc;

use super::memory::Guest;
use crate::fs::{At, Caller, Handle};
use crate::kernel::{Description, Errno, Fd, Files, Object, Process, Result};

/// One call of a guest: its memory, and the process it is.
pub(crate) struct Call<'a> {
    pub(crate) memory: Guest<'a>,
    pub(crate) process: &'a Process,
}

impl Call<'_> {
    /// What `fd` stands for.
    ///
    /// # Errors
    /// `BADF`.
    pub(super) fn description(&self, fd: Fd) -> Result<Arc<Description>> {
        let descriptors = self.process.descriptors.lock();
        Ok(descriptors.get(fd)?.description.clone())
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
        mode & !self
            .process
            .umask
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// A path of the guest: from where, and its text.
    ///
    /// # Errors
    /// `BADF`, `NOTDIR` for a descriptor that is no directory; those of [`Guest::path`].
    pub(super) fn place(&self, fd: Fd, path: u32, len: u32) -> Result<Place<'_>> {
        let dir = self.description(fd)?;
        let path = self.memory.path(path, len)?;
        match &dir.object {
            Object::Directory(_) => Ok(Place { dir, path }),
            _ => Err(Errno::NOTDIR),
        }
    }
}

/// A path and the open directory that it starts from. The directory stays open as long as this
/// lives: it must outlive the lock of the files, never the other way round.
pub(super) struct Place<'m> {
    dir: Arc<Description>,
    pub(super) path: &'m str,
}

impl Place<'_> {
    /// This as the file system takes it.
    pub(super) fn at(&self) -> Result<At<'_>> {
        Ok(At::below(self.dir()?, self.path))
    }

    /// The handle of the directory.
    pub(super) fn dir(&self) -> Result<Handle> {
        self.dir
            .handle()
            .map(|handle| handle.get())
            .ok_or(Errno::NOTDIR)
    }
}
