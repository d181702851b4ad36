//! An in-memory file system with Linux rules, whose snapshots are pointer copies.
//!
//! [`FileSystem`] is a plain value: no clock, no lock, no IO. Whoever holds it says who calls and
//! when ([`Caller`]). A call that fails has changed nothing. Names are UTF-8. Permission bits and
//! owners are kept and reported, but not enforced.

mod archive;
mod archive_names;
mod attributes;
mod canonical;
mod content;
mod contents;
mod digest;
mod errno;
mod export;
mod handle;
mod info;
mod inode;
mod list;
mod location;
mod names;
mod names_of_users;
mod open;
mod real_path;
mod remove;
mod rename;
mod staged;
mod tree;
mod walk;
mod watch;
mod whole;

#[cfg(test)]
mod sharing_tests;

use std::collections::HashMap;

pub use content::{BLOCK_BYTES, CHUNK_BYTES};
pub use contents::Contents;
pub use digest::{Sha256Bytes, TreeDigester};
pub use errno::{Errno, Result};
pub use handle::{DirEntry, Handle, MAX_HANDLES};
pub use inode::{Caller, FileTime, Ino, Metadata};
pub use list::Listing;
pub use names_of_users::Owners;
pub use open::OpenOptions;
pub use remove::Removal;
pub use staged::Placing;
pub use tree::{ENTRY_BYTES, Limits, MAX_LINKS, Snapshot, Usage};
pub use walk::{At, MAX_SYMLINKS};
pub use watch::{MAX_QUEUED_EVENTS, WatchStream};

use handle::OpenFile;
use tree::Tree;
use watch::Watches;

/// The files of one sandbox.
#[derive(Debug)]
pub struct FileSystem {
    tree: Tree,
    handles: HashMap<Handle, OpenFile>,
    /// How many handles each inode has.
    opened: HashMap<Ino, u32>,
    next_handle: u64,
    watches: Watches,
}

impl FileSystem {
    /// A file system with an empty root (`0o755`) that belongs to `by`.
    pub fn new(limits: Limits, by: Caller) -> Self {
        Self::over(Tree::new(limits, by))
    }

    /// A fork: a file system that shares everything with `snapshot` until either changes. It takes
    /// the same time whatever the size.
    ///
    /// # Errors
    /// [`Errno::NoSpace`] when the snapshot holds more than `limits` allow.
    pub fn from_snapshot(snapshot: &Snapshot, limits: Limits) -> Result<Self> {
        Ok(Self::over(snapshot.tree().with_limits(limits)?))
    }

    fn over(tree: Tree) -> Self {
        Self {
            tree,
            handles: HashMap::new(),
            opened: HashMap::new(),
            next_handle: 0,
            watches: Watches::default(),
        }
    }

    /// The tree as it is now. It takes the same time whatever the size, but for files that are
    /// open and have no name any more: those are left out, one by one.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.tree)
    }

    /// Goes back to `snapshot`. Every handle is closed; every watch is told that it lost events.
    ///
    /// # Errors
    /// As [`FileSystem::from_snapshot`].
    pub fn reset(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.tree = snapshot.tree().with_limits(self.tree.limits)?;
        self.handles.clear();
        self.opened.clear();
        self.watches.overflow_all();
        Ok(())
    }

    /// What is used of the limits.
    pub fn usage(&self) -> Usage {
        self.tree.usage()
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.tree.limits
    }
}
