//! Making and removing names.

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::{Caller, Directory, Ino, Inode, Node};
use super::tree::{MAX_LINKS, cost_of_name};
use super::walk::{At, Last, check_path};
use super::watch::Change;

/// A name to be made, and the directory it goes into.
struct Free {
    dir: Ino,
    name: String,
}

impl FileSystem {
    /// The place of a new name; `directory`: whether slashes may follow it.
    fn free_name(&self, at: At<'_>, directory: bool) -> Result<Free> {
        let parent = self.parent_of(at)?;
        let Last::Name(name) = parent.last else {
            return Err(Errno::Exists);
        };
        if self.tree.directory(parent.dir)?.get(&name).is_some() {
            return Err(Errno::Exists);
        }
        if parent.slash && !directory {
            return Err(Errno::NotFound);
        }
        self.tree.check_alive(parent.dir)?;
        Ok(Free {
            dir: parent.dir,
            name,
        })
    }

    fn make(&mut self, free: &Free, node: Node, mode: u32, by: Caller) -> Result<Ino> {
        let inode = Inode::new(node, mode, by);
        let ino = self.tree.add(free.dir, &free.name, inode)?;
        self.note(Change::Create, free.dir, &free.name);
        Ok(ino)
    }

    /// Makes a directory; of `mode` the lowest twelve bits count.
    ///
    /// # Errors
    /// Those of `mkdir(2)`: [`Errno::Exists`], [`Errno::NotFound`], [`Errno::NotDirectory`],
    /// [`Errno::NoSpace`].
    pub fn make_dir<'a>(&mut self, at: impl Into<At<'a>>, mode: u32, by: Caller) -> Result<Ino> {
        let free = self.free_name(at.into(), true)?;
        self.make(&free, Node::Directory(Directory::new()), mode & 0o7777, by)
    }

    /// Makes a symbolic link with this text.
    ///
    /// # Errors
    /// Those of `symlink(2)`: [`Errno::NotFound`] for an empty text too, [`Errno::Exists`],
    /// [`Errno::NameTooLong`], [`Errno::NoSpace`].
    pub fn symlink<'a>(&mut self, text: &str, at: impl Into<At<'a>>, by: Caller) -> Result<Ino> {
        check_path(text)?;
        let free = self.free_name(at.into(), false)?;
        self.make(&free, Node::Symlink(text.into()), 0o777, by)
    }

    /// Gives a file a further name; a link at the end of `from` is followed with `follow`.
    ///
    /// # Errors
    /// Those of `link(2)`: [`Errno::NotPermitted`] for a directory, [`Errno::Exists`],
    /// [`Errno::NotFound`], [`Errno::TooManyLinks`], [`Errno::NoSpace`].
    pub fn link<'a, 'b>(
        &mut self,
        from: impl Into<At<'a>>,
        follow: bool,
        to: impl Into<At<'b>>,
        by: Caller,
    ) -> Result<()> {
        let ino = self.lookup(from.into(), follow)?;
        let free = self.free_name(to.into(), false)?;
        let inode = self.tree.get(ino)?;
        if inode.is_directory() {
            return Err(Errno::NotPermitted);
        }
        if inode.places.size() >= MAX_LINKS {
            return Err(Errno::TooManyLinks);
        }
        self.tree.check_space(cost_of_name(&free.name), 0)?;
        self.tree.attach(free.dir, &free.name, ino, by.now)?;
        self.note(Change::Create, free.dir, &free.name);
        Ok(())
    }

    /// Removes a name of a file or link. A file that is open lives on without one.
    ///
    /// # Errors
    /// Those of `unlink(2)`: [`Errno::NotFound`], [`Errno::IsDirectory`],
    /// [`Errno::NotDirectory`].
    pub fn unlink<'a>(&mut self, at: impl Into<At<'a>>, by: Caller) -> Result<()> {
        let parent = self.parent_of(at.into())?;
        let Last::Name(name) = parent.last else {
            return Err(Errno::IsDirectory);
        };
        let found = self.tree.directory(parent.dir)?.get(&name);
        let ino = found.ok_or(Errno::NotFound)?;
        if self.tree.get(ino)?.is_directory() {
            return Err(Errno::IsDirectory);
        }
        if parent.slash {
            return Err(Errno::NotDirectory);
        }
        self.take_away(parent.dir, &name, ino, by)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of `rmdir(2)`: [`Errno::NotFound`], [`Errno::NotDirectory`], [`Errno::NotEmpty`],
    /// [`Errno::Busy`] for the root, [`Errno::Invalid`] for a path that ends in `.`.
    pub fn remove_dir<'a>(&mut self, at: impl Into<At<'a>>, by: Caller) -> Result<()> {
        let parent = self.parent_of(at.into())?;
        let name = match parent.last {
            Last::Root => return Err(Errno::Busy),
            Last::Dot => return Err(Errno::Invalid),
            Last::DotDot => return Err(Errno::NotEmpty),
            Last::Name(name) => name,
        };
        let found = self.tree.directory(parent.dir)?.get(&name);
        let ino = found.ok_or(Errno::NotFound)?;
        if self.tree.directory(ino)?.len() > 0 {
            return Err(Errno::NotEmpty);
        }
        self.take_away(parent.dir, &name, ino, by)
    }

    pub(super) fn take_away(&mut self, dir: Ino, name: &str, ino: Ino, by: Caller) -> Result<()> {
        self.tree.detach(dir, name, ino, by.now)?;
        self.note(Change::Remove, dir, name);
        self.release(ino)
    }
}
