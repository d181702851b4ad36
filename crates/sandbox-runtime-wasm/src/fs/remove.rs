//! Removing whole directories.

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::Caller;
use super::walk::{At, Last};

/// How far a removal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Nothing is left.
    Done,
    /// Some of what was below is gone; calling again goes on.
    More,
}

impl FileSystem {
    /// Removes a file, a link itself, or a directory and what is below it, deepest first, at most
    /// `budget` entries at a time; with a budget of one or more every call gets further. Links
    /// below are removed, not followed.
    ///
    /// # Errors
    /// [`Errno::NotFound`], [`Errno::Busy`] for the root and for paths that end in `.` or `..`;
    /// those of `stat(2)`.
    pub fn remove_all<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        budget: usize,
        by: Caller,
    ) -> Result<Removal> {
        let parent = self.parent_of(at.into())?;
        let Last::Name(name) = parent.last else {
            return Err(Errno::Busy);
        };
        let found = self.tree.directory(parent.dir)?.get(&name);
        let ino = found.ok_or(Errno::NotFound)?;
        if parent.slash && !self.tree.get(ino)?.is_directory() {
            return Err(Errno::NotDirectory);
        }
        // What is still to be removed, the way down to it first.
        let mut way = vec![(parent.dir, name, ino)];
        for _ in 0..budget {
            while let Some((_, _, ino)) = way.last()
                && let Ok(directory) = self.tree.directory(*ino)
                && let Some((name, child)) = directory.iter().next()
            {
                let dir = *ino;
                way.push((dir, name.to_string(), child));
            }
            let Some((dir, name, ino)) = way.pop() else {
                break;
            };
            self.take_away(dir, &name, ino, by)?;
        }
        Ok(if way.is_empty() {
            Removal::Done
        } else {
            Removal::More
        })
    }
}
