//! Open files: attributes, size, position.

use super::call::Call;
use super::descriptors::file_type;
use super::devices;
use super::layout::FileStat;
use super::times;
use crate::kernel::{Description, Errno, Fd, Object, OpenHandle, Result};

/// The largest position and size, as `off_t` has it.
const MAX_OFFSET: u64 = i64::MAX as u64;

impl Call<'_> {
    /// Advice is checked and not needed: files are in memory.
    pub(super) fn fd_advise(&mut self, fd: Fd, offset: u64, _len: u64, advice: u32) -> Result<()> {
        let description = self.description(fd)?;
        match &description.object {
            Object::File(_) if advice <= 5 && offset <= MAX_OFFSET => Ok(()),
            Object::File(_) => Err(Errno::INVAL),
            Object::Directory(_) => Err(Errno::BADF),
            _ => Err(Errno::SPIPE),
        }
    }

    /// Makes a file at least `offset + len` bytes long.
    pub(super) fn fd_allocate(&mut self, fd: Fd, offset: u64, len: u64) -> Result<()> {
        let description = self.description(fd)?;
        let handle = writable_file(&description, Errno::BADF)?;
        if len == 0 || offset > MAX_OFFSET || len > MAX_OFFSET {
            return Err(Errno::INVAL);
        }
        let by = self.caller();
        let mut files = handle.files().lock();
        if files.metadata_of(handle.get())?.size < offset + len {
            files.set_len(handle.get(), offset + len, by)?;
        }
        Ok(())
    }

    /// Nothing to do: what was written is where it is kept. Streams cannot be flushed, as on Linux.
    pub(super) fn fd_sync(&mut self, fd: Fd) -> Result<()> {
        let description = self.description(fd)?;
        description.handle().map(|_| ()).ok_or(Errno::INVAL)
    }

    pub(super) fn fd_filestat_get(&mut self, fd: Fd, out: u32) -> Result<()> {
        let description = self.description(fd)?;
        let stat = stat_of(&description)?;
        self.memory.write(out, &stat.to_bytes())
    }

    pub(super) fn fd_filestat_set_size(&mut self, fd: Fd, size: u64) -> Result<()> {
        let description = self.description(fd)?;
        let handle = writable_file(&description, Errno::INVAL)?;
        if size > MAX_OFFSET {
            return Err(Errno::INVAL);
        }
        let by = self.caller();
        handle.files().lock().set_len(handle.get(), size, by)?;
        Ok(())
    }

    pub(super) fn fd_filestat_set_times(
        &mut self,
        fd: Fd,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Result<()> {
        let description = self.description(fd)?;
        let by = self.caller();
        let (accessed, modified) = times::chosen(accessed, modified, flags, by.now)?;
        let handle = description.handle().ok_or(Errno::INVAL)?;
        let mut files = handle.files().lock();
        files.set_times_of(handle.get(), accessed, modified, by)?;
        Ok(())
    }

    pub(super) fn fd_seek(&mut self, fd: Fd, offset: i64, whence: u32, out: u32) -> Result<()> {
        let description = self.description(fd)?;
        self.memory.check(out, 8)?;
        let mut position = description.position.lock();
        let from = match (&description.object, whence) {
            (_, 3..) => return Err(Errno::INVAL),
            (Object::Directory(_), _) => return Err(Errno::BADF),
            (Object::File(_), 0) => 0,
            (Object::File(_), 1) => *position,
            (Object::File(handle), _) => handle.files().lock().metadata_of(handle.get())?.size,
            // Devices are at 0 wherever one goes.
            (Object::Null | Object::Zero | Object::Full | Object::Random(_), _) => {
                return self.memory.write_u64(out, 0);
            }
            _ => return Err(Errno::SPIPE),
        };
        let sought = from.checked_add_signed(offset).ok_or(Errno::INVAL)?;
        if sought > MAX_OFFSET {
            return Err(Errno::INVAL);
        }
        *position = sought;
        self.memory.write_u64(out, sought)
    }

    pub(super) fn fd_tell(&mut self, fd: Fd, out: u32) -> Result<()> {
        self.fd_seek(fd, 0, 1, out)
    }
}

/// The handle of a regular file that can be written, or else this error.
fn writable_file(description: &Description, otherwise: Errno) -> Result<&OpenHandle> {
    match &description.object {
        Object::File(handle) if description.write => Ok(handle),
        _ => Err(otherwise),
    }
}

/// The attributes of what is open.
///
/// # Errors
/// `BADF` for a file of a tree that was put away.
pub(crate) fn stat_of(description: &Description) -> Result<FileStat> {
    match description.handle() {
        Some(handle) => Ok(handle.files().lock().metadata_of(handle.get())?.into()),
        None => Ok(devices::stat_of(&description.object)
            .unwrap_or_else(|| FileStat::of_stream(file_type(&description.object)))),
    }
}
