//! Where a path really leads.

use std::sync::Arc;

use sandbox_core::{FileKind, MAX_PATH_BYTES, SandboxPath};

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::{Ino, Node};
use super::walk::{At, Last, MAX_SYMLINKS};

/// What stands at the end of all links.
enum End {
    Directory(Ino),
    Entry(Ino, Arc<str>, Ino),
}

impl FileSystem {
    /// The directory and the name in it that `at` leads to when every link is followed.
    ///
    /// # Errors
    /// Those of `stat(2)`; [`Errno::Busy`] for the root and for paths that end in `.` or `..`.
    pub(super) fn place_of(&self, at: At<'_>) -> Result<(Ino, Arc<str>)> {
        match self.end_of(at)? {
            End::Entry(dir, name, _) => Ok((dir, name)),
            End::Directory(_) => Err(Errno::Busy),
        }
    }

    fn end_of(&self, at: At<'_>) -> Result<End> {
        let mut parent = self.parent_of(at)?;
        for _ in 0..=MAX_SYMLINKS {
            let name: Arc<str> = match &parent.last {
                Last::Root => return Ok(End::Directory(Ino::ROOT)),
                Last::Dot => return Ok(End::Directory(parent.dir)),
                Last::DotDot => return Ok(End::Directory(self.tree.parent(parent.dir)?)),
                Last::Name(name) => name.as_str().into(),
            };
            let found = self.tree.directory(parent.dir)?.get(&name);
            let ino = found.ok_or(Errno::NotFound)?;
            let Node::Symlink(text) = &self.tree.get(ino)?.node else {
                return Ok(End::Entry(parent.dir, name, ino));
            };
            parent = self.tree.parent_below(parent.dir, text)?;
        }
        Err(Errno::Loop)
    }

    /// The path of `at` without links, and what is there.
    ///
    /// # Errors
    /// Those of `stat(2)`; [`Errno::NameTooLong`] when it lies deeper than a path reaches.
    pub fn real_path<'a>(&self, at: impl Into<At<'a>>) -> Result<(SandboxPath, FileKind)> {
        let (mut dir, last, ino) = match self.end_of(at.into())? {
            End::Directory(dir) => (dir, None, dir),
            End::Entry(dir, name, ino) => (dir, Some(name), ino),
        };
        let mut names: Vec<Arc<str>> = last.into_iter().collect();
        let mut length: usize = names.iter().map(|name| name.len() + 1).sum();
        while dir != Ino::ROOT {
            let (parent, name) = self.tree.get(dir)?.places.first().ok_or(Errno::NotFound)?;
            length += name.len() + 1;
            if length > MAX_PATH_BYTES {
                return Err(Errno::NameTooLong);
            }
            names.push(name.clone());
            dir = *parent;
        }
        names.reverse();
        let path = SandboxPath::root().join(names.join("/"));
        let path = path.map_err(|_| Errno::NameTooLong)?;
        Ok((path, self.tree.get(ino)?.kind()))
    }
}
