//! Descriptors themselves: close, renumber, flags, rights, preopened directories.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::call::Call;
use super::layout::{FdStat, FileType, fdflags};
use super::rights;
use crate::kernel::{Description, Errno, Fd, Object, Result};

impl Call<'_> {
    pub(super) fn fd_close(&mut self, fd: Fd) -> Result<()> {
        // Dropped after the table's lock is let go: closing can wake others.
        let closed = self.process.descriptors.lock().remove(fd);
        closed.map(drop)
    }

    /// Moves `from` to `to`, closing what was there. Moving to itself changes nothing.
    pub(super) fn fd_renumber(&mut self, from: Fd, to: Fd) -> Result<()> {
        let mut descriptors = self.process.descriptors.lock();
        let moved = descriptors.get(from)?.clone();
        if from == to {
            return Ok(());
        }
        let replaced = descriptors.set(to, moved)?;
        let taken = descriptors.remove(from);
        drop(descriptors);
        drop((replaced, taken));
        Ok(())
    }

    pub(super) fn fd_fdstat_get(&mut self, fd: Fd, out: u32) -> Result<()> {
        let description = self.description(fd)?;
        self.memory.write(out, &fd_stat(&description).to_bytes())
    }

    /// Sets `append` and `nonblock`. Files are in memory: every write is synchronous already.
    pub(super) fn fd_fdstat_set_flags(&mut self, fd: Fd, flags: u32) -> Result<()> {
        let flags = u16::try_from(flags).map_err(|_| Errno::INVAL)?;
        if flags & !fdflags::ALL != 0 {
            return Err(Errno::INVAL);
        }
        let description = self.description(fd)?;
        set_flags(&description, flags);
        Ok(())
    }

    /// Rights are not narrowed here (see [`rights`]), so this succeeds for what exists.
    pub(super) fn fd_fdstat_set_rights(&mut self, fd: Fd, base: u64, inherited: u64) -> Result<()> {
        self.description(fd)?;
        if (base | inherited) & !rights::ALL != 0 {
            return Err(Errno::NOTCAPABLE);
        }
        Ok(())
    }

    /// The name of a preopened directory. `BADF` for anything else: that ends a guest's search.
    fn preopen(&self, fd: Fd) -> Result<&'static str> {
        let descriptors = self.process.descriptors.lock();
        descriptors.get(fd)?.preopen.ok_or(Errno::BADF)
    }

    pub(super) fn fd_prestat_get(&mut self, fd: Fd, out: u32) -> Result<()> {
        let name = self.preopen(fd)?;
        let mut prestat = [0; 8];
        prestat[4..].copy_from_slice(&(name.len() as u32).to_le_bytes());
        self.memory.write(out, &prestat)
    }

    pub(super) fn fd_prestat_dir_name(&mut self, fd: Fd, out: u32, len: u32) -> Result<()> {
        let name = self.preopen(fd)?;
        if (len as usize) < name.len() {
            return Err(Errno::NAMETOOLONG);
        }
        self.memory.write(out, name.as_bytes())
    }
}

/// Sets what of `flags` means something here.
pub(super) fn set_flags(description: &Description, flags: u16) {
    let has = |flag| flags & flag != 0;
    description
        .append
        .store(has(fdflags::APPEND), Ordering::Relaxed);
    let nonblocking = &description.nonblocking;
    nonblocking.store(has(fdflags::NONBLOCK), Ordering::Relaxed);
}

fn fd_stat(description: &Arc<Description>) -> FdStat {
    let mut flags = 0;
    if description.append.load(Ordering::Relaxed) {
        flags |= fdflags::APPEND;
    }
    if description.is_nonblocking() {
        flags |= fdflags::NONBLOCK;
    }
    let file_type = file_type(&description.object);
    let seek = matches!(
        file_type,
        FileType::RegularFile | FileType::Directory | FileType::CharacterDevice
    );
    FdStat {
        file_type,
        flags,
        rights: rights::of(description.read, description.write, seek),
    }
}

/// What preview 1 calls an object.
pub(crate) fn file_type(object: &Object) -> FileType {
    match object {
        Object::File(_) => FileType::RegularFile,
        Object::Directory(_) => FileType::Directory,
        Object::PipeReader(_) | Object::PipeWriter(_) | Object::Output(_) => FileType::Unknown,
        Object::Null | Object::Zero | Object::Full | Object::Random(_) => FileType::CharacterDevice,
        Object::Socket(socket) if socket.is_stream() => FileType::StreamSocket,
        Object::Socket(_) => FileType::DatagramSocket,
    }
}
