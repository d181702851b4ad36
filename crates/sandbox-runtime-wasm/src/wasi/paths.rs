//! Calls about paths, `path_open` apart.
//!
//! A path starts at an open directory, but the boundary is the sandbox's root and no directory: an
//! absolute path starts at the root, and `..` leads up to it.

use super::call::{Call, Place, description};
use super::devices;
use super::layout::FileStat;
use super::times;
use crate::kernel::{Errno, Fd, Process, Result};

/// `lookupflags`: whether a link at the end is followed.
pub(super) fn follows(flags: u32) -> Result<bool> {
    match flags {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::INVAL),
    }
}

impl Call<'_> {
    pub(super) fn path_create_directory(&mut self, fd: Fd, path: u32, len: u32) -> Result<()> {
        let place = self.place(fd, path, len)?;
        let (mode, by) = (self.mode(0o777), self.caller());
        self.files().lock().make_dir(place.at()?, mode, by)?;
        Ok(())
    }

    pub(super) fn path_remove_directory(&mut self, fd: Fd, path: u32, len: u32) -> Result<()> {
        let place = self.place(fd, path, len)?;
        self.files().lock().remove_dir(place.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn path_unlink_file(&mut self, fd: Fd, path: u32, len: u32) -> Result<()> {
        let place = self.place(fd, path, len)?;
        self.files().lock().unlink(place.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn path_filestat_get(
        &mut self,
        fd: Fd,
        flags: u32,
        path: u32,
        len: u32,
        out: u32,
    ) -> Result<()> {
        let follow = follows(flags)?;
        let stat = stat_at(self.process, &self.place(fd, path, len)?, follow)?;
        self.memory.write(out, &stat.to_bytes())
    }

    #[expect(clippy::too_many_arguments, reason = "preview 1 has it so")]
    pub(super) fn path_filestat_set_times(
        &mut self,
        fd: Fd,
        flags: u32,
        path: u32,
        len: u32,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Result<()> {
        let follow = follows(flags)?;
        let by = self.caller();
        let (accessed, modified) = times::chosen(accessed, modified, which, by.now)?;
        let place = self.place(fd, path, len)?;
        let mut files = self.files().lock();
        files.set_times(place.at()?, follow, accessed, modified, by)?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "preview 1 has it so")]
    pub(super) fn path_link(
        &mut self,
        old_fd: Fd,
        old_flags: u32,
        old_path: u32,
        old_len: u32,
        new_fd: Fd,
        new_path: u32,
        new_len: u32,
    ) -> Result<()> {
        let follow = follows(old_flags)?;
        let old = self.place(old_fd, old_path, old_len)?;
        let new = self.place(new_fd, new_path, new_len)?;
        let mut files = self.files().lock();
        files.link(old.at()?, follow, new.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn path_rename(
        &mut self,
        old_fd: Fd,
        old_path: u32,
        old_len: u32,
        new_fd: Fd,
        new_path: u32,
        new_len: u32,
    ) -> Result<()> {
        let old = self.place(old_fd, old_path, old_len)?;
        let new = self.place(new_fd, new_path, new_len)?;
        let mut files = self.files().lock();
        files.rename(old.at()?, new.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn path_symlink(
        &mut self,
        text: u32,
        text_len: u32,
        fd: Fd,
        path: u32,
        len: u32,
    ) -> Result<()> {
        let text = self.memory.path(text, text_len)?;
        let place = self.place(fd, path, len)?;
        let mut files = self.files().lock();
        files.symlink(text, place.at()?, self.caller())?;
        Ok(())
    }

    /// Writes the text of a link, cut off where the buffer ends, and its length as written.
    pub(super) fn path_readlink(
        &mut self,
        fd: Fd,
        path: u32,
        len: u32,
        buffer: u32,
        buffer_len: u32,
        out: u32,
    ) -> Result<()> {
        self.memory.check(buffer, buffer_len)?;
        self.memory.check(out, 4)?;
        let place = self.place(fd, path, len)?;
        let text = self.files().lock().read_link(place.at()?)?;
        drop(place);
        let kept = text.len().min(buffer_len as usize);
        self.memory.write(buffer, &text.as_bytes()[..kept])?;
        self.memory.write_u32(out, kept as u32)
    }
}

/// The attributes of what is at `place`; a link at the end is followed with `follow`.
///
/// # Errors
/// Those of `stat(2)`.
pub(crate) fn stat_at(process: &Process, place: &Place<'_>, follow: bool) -> Result<FileStat> {
    let files = process.machine.files.lock();
    let metadata = match files.metadata(place.at()?, follow) {
        Ok(metadata) => metadata,
        Err(missing) => {
            let number = devices::descriptor_at(&files, place.at()?, follow);
            drop(files);
            let description = description(process, number.ok_or(missing)?)?;
            let stat = devices::stat_of(&description.object);
            let file_type = super::descriptors::file_type(&description.object);
            return Ok(stat.unwrap_or(FileStat::of_stream(file_type)));
        }
    };
    let device = devices::device(&files, metadata.ino).is_some();
    let mut stat = FileStat::from(metadata);
    if device {
        stat.file_type = super::layout::FileType::CharacterDevice;
    }
    Ok(stat)
}
