//! Open files.

use std::sync::Arc;

use sandbox_core::FileKind;

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::{Caller, FIRST_COOKIE, Ino, Metadata, Node};
use super::watch::Change;

/// The most handles of one file system; what a process may open is its kernel's to say.
pub const MAX_HANDLES: usize = 1 << 20;

/// An open file, by number. Whoever opened it holds it and must [close](FileSystem::close) it; the
/// position in the file is the holder's too. A number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) ino: Ino,
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) append: bool,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name; `.` and `..` come first.
    pub name: Arc<str>,
    /// Its inode.
    pub ino: Ino,
    /// Its kind.
    pub kind: FileKind,
    /// The cookie with which to go on after it.
    pub next: u64,
}

impl FileSystem {
    /// How many handles are open.
    #[cfg(test)]
    pub(crate) fn open_handles(&self) -> usize {
        self.handles.len()
    }

    pub(super) fn handle(&self, handle: Handle) -> Result<OpenFile> {
        self.handles.get(&handle).copied().ok_or(Errno::BadHandle)
    }

    pub(super) fn check_handles(&self) -> Result<()> {
        if self.handles.len() < MAX_HANDLES {
            Ok(())
        } else {
            Err(Errno::TooManyHandles)
        }
    }

    pub(super) fn add_handle(&mut self, file: OpenFile) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        *self.opened.entry(file.ino).or_default() += 1;
        self.handles.insert(handle, file);
        handle
    }

    /// Closes a file. The last handle of a file without a name takes the file with it.
    ///
    /// # Errors
    /// [`Errno::BadHandle`].
    pub fn close(&mut self, handle: Handle) -> Result<()> {
        let file = self.handles.remove(&handle).ok_or(Errno::BadHandle)?;
        if let Some(count) = self.opened.get_mut(&file.ino) {
            *count -= 1;
            if *count == 0 {
                self.opened.remove(&file.ino);
                if self.tree.orphans.contains(&file.ino) {
                    self.tree.free(file.ino);
                }
            }
        }
        Ok(())
    }

    /// Frees an inode that has lost a name: now when it has neither names nor handles left, and
    /// with its last handle when it has some.
    pub(super) fn release(&mut self, ino: Ino) -> Result<()> {
        if !self.tree.get(ino)?.places.is_empty() {
            return Ok(());
        }
        if self.opened.contains_key(&ino) {
            self.tree.orphans.insert_mut(ino);
        } else {
            self.tree.free(ino);
        }
        Ok(())
    }

    /// Reads from `offset` into `into`; answers how many bytes there were, 0 at the end.
    ///
    /// # Errors
    /// [`Errno::BadHandle`] for one not opened for reading, [`Errno::IsDirectory`].
    pub fn read_at(&self, handle: Handle, offset: u64, into: &mut [u8]) -> Result<usize> {
        let file = self.handle(handle)?;
        if !file.read {
            return Err(Errno::BadHandle);
        }
        match &self.tree.get(file.ino)?.node {
            Node::File(content) => Ok(content.read(offset, into)),
            Node::Directory(_) => Err(Errno::IsDirectory),
            Node::Symlink(_) => Err(Errno::Invalid),
        }
    }

    /// Writes all of `bytes` at `offset`, or at the end through a handle opened for appending;
    /// answers the offset after them.
    ///
    /// # Errors
    /// [`Errno::BadHandle`] for one not opened for writing, [`Errno::FileTooBig`],
    /// [`Errno::NoSpace`]: then nothing was written.
    pub fn write_at(
        &mut self,
        handle: Handle,
        offset: u64,
        bytes: &[u8],
        by: Caller,
    ) -> Result<u64> {
        let file = self.handle(handle)?;
        if !file.write {
            return Err(Errno::BadHandle);
        }
        let Node::File(content) = &self.tree.get(file.ino)?.node else {
            return Err(Errno::Invalid);
        };
        let offset = if file.append { content.size() } else { offset };
        if bytes.is_empty() {
            return Ok(offset);
        }
        let end = offset
            .checked_add(bytes.len() as u64)
            .filter(|end| *end <= self.tree.limits.file_bytes)
            .ok_or(Errno::FileTooBig)?;
        let cost = content.cost_of_write(offset, bytes.len());
        self.tree.check_space(cost, 0)?;
        self.tree
            .change_content(file.ino, by.now, |content| content.write(offset, bytes))?;
        self.note_inode(Change::Write, file.ino);
        Ok(end)
    }

    /// Sets the size of an open file; what is new reads as zeros and costs nothing.
    ///
    /// # Errors
    /// [`Errno::Invalid`] for a handle not opened for writing, [`Errno::FileTooBig`].
    pub fn set_len(&mut self, handle: Handle, size: u64, by: Caller) -> Result<()> {
        let file = self.handle(handle)?;
        if !file.write {
            return Err(Errno::Invalid);
        }
        self.set_size(file.ino, size, by)
    }

    pub(super) fn set_size(&mut self, ino: Ino, size: u64, by: Caller) -> Result<()> {
        if size > self.tree.limits.file_bytes {
            return Err(Errno::FileTooBig);
        }
        self.tree
            .change_content(ino, by.now, |content| content.set_size(size))?;
        self.note_inode(Change::Write, ino);
        Ok(())
    }

    /// An open file's attributes.
    ///
    /// # Errors
    /// [`Errno::BadHandle`].
    pub fn metadata_of(&self, handle: Handle) -> Result<Metadata> {
        let ino = self.handle(handle)?.ino;
        Ok(self.tree.get(ino)?.metadata(ino))
    }

    /// At most `limit` entries of an open directory after `cookie`; 0 begins. While the directory
    /// changes, every entry that stays is seen exactly once, and new ones come last.
    ///
    /// # Errors
    /// [`Errno::BadHandle`], [`Errno::NotDirectory`].
    pub fn read_dir(&self, handle: Handle, cookie: u64, limit: usize) -> Result<Vec<DirEntry>> {
        let ino = self.handle(handle)?.ino;
        let directory = self.tree.directory(ino)?;
        if self.tree.check_alive(ino).is_err() {
            return Ok(Vec::new());
        }
        let dots = [(".", ino, 1), ("..", self.tree.parent(ino)?, 2)];
        let dots = dots.into_iter().map(|(name, ino, next)| DirEntry {
            name: name.into(),
            ino,
            kind: FileKind::Directory,
            next,
        });
        let mut entries: Vec<_> = dots.filter(|dot| dot.next > cookie).take(limit).collect();
        let left = limit - entries.len();
        for (name, ino, next) in directory.after(cookie.max(FIRST_COOKIE - 1)).take(left) {
            entries.push(DirEntry {
                name: name.clone(),
                ino,
                kind: self.tree.get(ino)?.kind(),
                next,
            });
        }
        Ok(entries)
    }
}
