//! `fd_readdir`.

use super::call::Call;
use super::devices;
use super::layout::{DIRENT_BYTES, FileType, dirent};
use crate::fs::DirEntry;
use crate::kernel::{Errno, Fd, Object, Result};

/// Entries taken from the file system under one lock.
const BATCH: usize = 256;

impl Call<'_> {
    /// Writes the entries after `cookie`, as many as fit, the last one cut off where the buffer
    /// ends; a buffer that is not full says that there are no more.
    pub(super) fn fd_readdir(
        &mut self,
        fd: Fd,
        buffer: u32,
        buffer_len: u32,
        mut cookie: u64,
        out: u32,
    ) -> Result<()> {
        let description = self.description(fd)?;
        let Object::Directory(handle) = &description.object else {
            return Err(Errno::NOTDIR);
        };
        self.memory.check(out, 4)?;
        let mut left = self.memory.bytes_mut(buffer, buffer_len)?;
        while !left.is_empty() {
            let files = handle.files().lock();
            // Small buffers hold few entries: none has less than its head and a letter.
            let batch = BATCH.min(left.len() / (DIRENT_BYTES + 1) + 1);
            let entries = files.read_dir(handle.get(), cookie, batch)?;
            let in_dev = devices::is_dev(&files, files.inode_of(handle.get())?);
            drop(files);
            for entry in &entries {
                left = put(left, entry, in_dev);
            }
            match entries.last() {
                Some(last) if entries.len() == batch => cookie = last.next,
                _ => break,
            }
        }
        let used = buffer_len - left.len() as u32;
        self.memory.write_u32(out, used)
    }
}

/// Writes what fits of an entry; answers what is left of the buffer.
fn put<'b>(buffer: &'b mut [u8], entry: &DirEntry, in_dev: bool) -> &'b mut [u8] {
    let kind = entry_type(entry, in_dev);
    let head = dirent(entry.next, entry.ino.get(), entry.name.len() as u32, kind);
    let buffer = copy(buffer, &head);
    copy(buffer, entry.name.as_bytes())
}

/// The kind of an entry of a directory, which is `/dev` with `in_dev`.
pub(crate) fn entry_type(entry: &DirEntry, in_dev: bool) -> FileType {
    match entry.kind {
        sandbox_core::FileKind::File if in_dev && devices::named(&entry.name).is_some() => {
            FileType::CharacterDevice
        }
        kind => kind.into(),
    }
}

fn copy<'b>(buffer: &'b mut [u8], bytes: &[u8]) -> &'b mut [u8] {
    let (now, later) = buffer.split_at_mut(buffer.len().min(bytes.len()));
    now.copy_from_slice(&bytes[..now.len()]);
    later
}
