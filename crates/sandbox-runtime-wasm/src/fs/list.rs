//! Listing.

use sandbox_core::{FileInfo, ListOptions, SandboxPath};

use super::FileSystem;
use super::errno::{Errno, Result};

/// What came of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Every entry, by path.
    Whole(Vec<FileInfo>),
    /// There are more than were asked for.
    TooMany,
}

impl FileSystem {
    /// A second file system over the same files, to be read at leisure: a pointer copy. What
    /// either changes the other does not see.
    pub fn fork(&self) -> Self {
        Self::over(self.tree.clone())
    }

    /// The entries below a directory, sorted by path. A link to a directory is followed, links
    /// below it are not.
    ///
    /// # Errors
    /// [`Errno::NotDirectory`]; those of `stat(2)`; [`Errno::NameTooLong`] when something lies
    /// deeper than a path reaches.
    pub fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        let owners = self.owners();
        let top = self.lookup(path.into(), true)?;
        let mut found = Vec::new();
        let mut ahead = vec![(path.clone(), top, 1)];
        self.tree.directory(top)?;
        while let Some((at, dir, depth)) = ahead.pop() {
            for (name, ino) in self.tree.directory(dir)?.iter() {
                if found.len() >= options.limit as usize {
                    return Ok(Listing::TooMany);
                }
                let path = at.join(&**name).map_err(|_| Errno::NameTooLong)?;
                if depth < options.depth && self.tree.get(ino)?.is_directory() {
                    ahead.push((path.clone(), ino, depth + 1));
                }
                found.push(self.info_of(path, ino, &owners)?);
            }
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Listing::Whole(found))
    }
}
