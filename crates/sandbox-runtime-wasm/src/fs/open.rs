//! Opening files.

use super::FileSystem;
use super::content::Content;
use super::errno::{Errno, Result};
use super::handle::{Handle, OpenFile};
use super::inode::{Caller, Ino, Inode, Node};
use super::walk::{At, Found, Last};
use super::watch::Change;

/// How to open a file. Without anything set, a handle only says where a file is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// Whether it can be read.
    pub read: bool,
    /// Whether it can be written.
    pub write: bool,
    /// Whether every write goes to the end.
    pub append: bool,
    /// Whether a file that is not there is made (`O_CREAT`).
    pub create: bool,
    /// With `create`: whether one that is there is an error (`O_EXCL`). A link is not followed.
    pub exclusive: bool,
    /// Whether it is emptied; needs `write`.
    pub truncate: bool,
    /// Whether anything but a directory is an error (`O_DIRECTORY`).
    pub directory: bool,
    /// Whether a link at the end of the path is an error (`O_NOFOLLOW`).
    pub no_follow: bool,
    /// Permission bits for a file that is made; bits past `0o7777` are dropped.
    pub mode: u32,
}

impl FileSystem {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of `open(2)`: [`Errno::NotFound`], [`Errno::Exists`], [`Errno::IsDirectory`],
    /// [`Errno::NotDirectory`], [`Errno::Loop`], [`Errno::NoSpace`]. [`Errno::Invalid`] for
    /// options that contradict each other, [`Errno::TooManyHandles`].
    pub fn open<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        options: OpenOptions,
        by: Caller,
    ) -> Result<Handle> {
        let at = at.into();
        let contradiction = (options.create && options.directory)
            || (options.truncate && !options.write)
            || (options.append && !options.write);
        if contradiction {
            return Err(Errno::Invalid);
        }
        self.check_handles()?;
        let ino = if options.create {
            self.find_or_create(at, options, by)?
        } else {
            let ino = self.lookup(at, !options.no_follow)?;
            self.check_opening(ino, options)?;
            ino
        };
        let emptied = match &self.tree.get(ino)?.node {
            Node::File(content) => options.truncate && content.size() > 0,
            Node::Directory(_) | Node::Symlink(_) => false,
        };
        if emptied {
            self.set_size(ino, 0, by)?;
        }
        Ok(self.add_handle(OpenFile {
            ino,
            read: options.read,
            write: options.write,
            append: options.append,
        }))
    }

    fn check_opening(&self, ino: Ino, options: OpenOptions) -> Result<()> {
        match &self.tree.get(ino)?.node {
            Node::Directory(_) if options.write => Err(Errno::IsDirectory),
            Node::File(_) | Node::Symlink(_) if options.directory => Err(Errno::NotDirectory),
            Node::Symlink(_) => Err(Errno::Loop),
            Node::Directory(_) | Node::File(_) => Ok(()),
        }
    }

    fn find_or_create(&mut self, at: At<'_>, options: OpenOptions, by: Caller) -> Result<Ino> {
        let parent = self.parent_of(at)?;
        match parent.last {
            // A name with slashes behind it is a directory's, and files alone are made here.
            Last::Name(_) if parent.slash => return Err(Errno::IsDirectory),
            Last::Name(_) => {}
            Last::Root | Last::Dot | Last::DotDot if options.exclusive => {
                return Err(Errno::Exists);
            }
            Last::Root | Last::Dot | Last::DotDot => return Err(Errno::IsDirectory),
        }
        match self.find(at, !options.no_follow && !options.exclusive)? {
            Found::Inode(_) if options.exclusive => Err(Errno::Exists),
            Found::Inode(ino) if self.tree.get(ino)?.is_directory() => Err(Errno::IsDirectory),
            Found::Inode(ino) => self.check_opening(ino, options).map(|()| ino),
            Found::Missing { slash: true, .. } => Err(Errno::IsDirectory),
            Found::Missing { dir, name, .. } => {
                let inode = Inode::new(Node::File(Content::new()), options.mode & 0o7777, by);
                let ino = self.tree.add(dir, &name, inode)?;
                self.note(Change::Create, dir, &name);
                Ok(ino)
            }
        }
    }
}
