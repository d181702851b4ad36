//! Reading and changing attributes.

use std::sync::Arc;

use super::FileSystem;
use super::errno::{Errno, Result};
use super::handle::Handle;
use super::inode::{Caller, FileTime, Ino, Inode, Metadata, Node};
use super::walk::At;
use super::watch::Change;

impl FileSystem {
    /// A file's attributes; a link at the end of the path is followed with `follow`.
    ///
    /// # Errors
    /// Those of `stat(2)`: [`Errno::NotFound`], [`Errno::NotDirectory`], [`Errno::Loop`].
    pub fn metadata<'a>(&self, at: impl Into<At<'a>>, follow: bool) -> Result<Metadata> {
        let ino = self.lookup(at.into(), follow)?;
        Ok(self.tree.get(ino)?.metadata(ino))
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    /// [`Errno::Invalid`] for anything else; those of `stat(2)`.
    pub fn read_link<'a>(&self, at: impl Into<At<'a>>) -> Result<Arc<str>> {
        let ino = self.lookup(at.into(), false)?;
        match &self.tree.get(ino)?.node {
            Node::Symlink(text) => Ok(text.clone()),
            Node::File(_) | Node::Directory(_) => Err(Errno::Invalid),
        }
    }

    /// Sets the size of a file; links are followed.
    ///
    /// # Errors
    /// [`Errno::IsDirectory`], [`Errno::FileTooBig`]; those of `stat(2)`.
    pub fn truncate<'a>(&mut self, at: impl Into<At<'a>>, size: u64, by: Caller) -> Result<()> {
        let ino = self.lookup(at.into(), true)?;
        if self.tree.get(ino)?.is_directory() {
            return Err(Errno::IsDirectory);
        }
        self.set_size(ino, size, by)
    }

    /// Sets the permission bits, the lowest twelve of `mode`; links are followed.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    pub fn set_mode<'a>(&mut self, at: impl Into<At<'a>>, mode: u32, by: Caller) -> Result<()> {
        let ino = self.lookup(at.into(), true)?;
        self.set(ino, by, |inode| inode.mode = mode & 0o7777)
    }

    /// Sets the owner's and the group's number; a link at the end is followed with `follow`. A file
    /// loses its set-user-id bit, and its set-group-id bit where the group may run it.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    pub fn set_owner<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        follow: bool,
        (uid, gid): (u32, u32),
        by: Caller,
    ) -> Result<()> {
        let ino = self.lookup(at.into(), follow)?;
        self.set(ino, by, |inode| {
            (inode.uid, inode.gid) = (uid, gid);
            if let Node::File(_) = inode.node {
                let run_by_group = inode.mode & 0o010 != 0;
                inode.mode &= if run_by_group { !0o6000 } else { !0o4000 };
            }
        })
    }

    /// Sets when a file was last read and changed, `None` leaving one as it is; a link at the end
    /// is followed with `follow`.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    pub fn set_times<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        follow: bool,
        accessed: Option<FileTime>,
        modified: Option<FileTime>,
        by: Caller,
    ) -> Result<()> {
        let ino = self.lookup(at.into(), follow)?;
        self.set(ino, by, |inode| inode.set_times(accessed, modified))
    }

    /// As [`set_times`](Self::set_times), for an open file.
    ///
    /// # Errors
    /// [`Errno::BadHandle`].
    pub fn set_times_of(
        &mut self,
        handle: Handle,
        accessed: Option<FileTime>,
        modified: Option<FileTime>,
        by: Caller,
    ) -> Result<()> {
        let ino = self.handle(handle)?.ino;
        self.set(ino, by, |inode| inode.set_times(accessed, modified))
    }

    pub(super) fn set(
        &mut self,
        ino: Ino,
        by: Caller,
        change: impl FnOnce(&mut Inode),
    ) -> Result<()> {
        let inode = self.tree.get_mut(ino)?;
        change(inode);
        inode.changed = by.now;
        self.note_inode(Change::Chmod, ino);
        Ok(())
    }
}

impl Inode {
    fn set_times(&mut self, accessed: Option<FileTime>, modified: Option<FileTime>) {
        self.accessed = accessed.unwrap_or(self.accessed);
        self.modified = modified.unwrap_or(self.modified);
    }
}
