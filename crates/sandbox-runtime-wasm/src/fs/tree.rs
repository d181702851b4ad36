//! Inodes in a persistent map, and what they cost.

use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::content::Content;
use super::errno::{Errno, Result};
use super::inode::{Caller, Directory, FileTime, Ino, Inode, Node};

/// What a name costs of the quota in bytes, beside its length.
pub const ENTRY_BYTES: u64 = 256;
/// The most names one file has.
pub const MAX_LINKS: usize = 65_000;

/// How much a file system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all: files in blocks of [`BLOCK_BYTES`](super::BLOCK_BYTES) (holes are free), the
    /// texts of links, and for every name its length and [`ENTRY_BYTES`].
    pub bytes: u64,
    /// Files, directories and links in all, the root included.
    pub inodes: u64,
    /// The largest size of one file in bytes, holes included.
    pub file_bytes: u64,
}

impl Default for Limits {
    /// 1 GiB in 100,000 inodes, files of at most 1 GiB.
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            inodes: 100_000,
            file_bytes: 1 << 30,
        }
    }
}

/// What is used of [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// As [`Limits::bytes`].
    pub bytes: u64,
    /// As [`Limits::inodes`].
    pub inodes: u64,
}

/// A tree at one moment. Cloning, forking and dropping share what others still use; many file
/// systems over one snapshot hold its bytes once.
#[derive(Debug, Clone)]
pub struct Snapshot(Tree);

impl Snapshot {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut kept = tree.clone();
        for ino in tree.orphans.iter() {
            kept.free(*ino);
        }
        Self(kept)
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.0
    }

    /// What it holds.
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) limits: Limits,
    inodes: RedBlackTreeMapSync<Ino, Inode>,
    /// Without a name, kept for the handles on them.
    pub(super) orphans: RedBlackTreeSetSync<Ino>,
    bytes: u64,
    next_ino: u64,
}

impl Tree {
    pub(super) fn new(limits: Limits, by: Caller) -> Self {
        let root = Inode::new(Node::Directory(Directory::new()), 0o755, by);
        Self {
            limits,
            inodes: RedBlackTreeMapSync::new_sync().insert(Ino::ROOT, root),
            orphans: RedBlackTreeSetSync::new_sync(),
            bytes: 0,
            next_ino: Ino::ROOT.0 + 1,
        }
    }

    pub(super) fn with_limits(&self, limits: Limits) -> Result<Self> {
        let tree = Self {
            limits,
            ..self.clone()
        };
        tree.check_space(0, 0)?;
        Ok(tree)
    }

    /// Whether the two hold the very same map.
    #[cfg(test)]
    pub(super) fn shares_inodes_with(&self, other: &Self) -> bool {
        self.inodes.ptr_eq(&other.inodes)
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            bytes: self.bytes,
            inodes: self.inodes.size() as u64,
        }
    }

    pub(super) fn check_space(&self, bytes: u64, inodes: u64) -> Result<()> {
        let used = self.usage();
        let fits = used.bytes.saturating_add(bytes) <= self.limits.bytes
            && used.inodes.saturating_add(inodes) <= self.limits.inodes;
        fits.then_some(()).ok_or(Errno::NoSpace)
    }

    pub(super) fn get(&self, ino: Ino) -> Result<&Inode> {
        self.inodes.get(&ino).ok_or(Errno::NotFound)
    }

    pub(super) fn get_mut(&mut self, ino: Ino) -> Result<&mut Inode> {
        self.inodes.get_mut(&ino).ok_or(Errno::NotFound)
    }

    pub(super) fn directory(&self, ino: Ino) -> Result<&Directory> {
        match &self.get(ino)?.node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) | Node::Symlink(_) => Err(Errno::NotDirectory),
        }
    }

    fn directory_mut(&mut self, ino: Ino) -> Result<&mut Directory> {
        match &mut self.get_mut(ino)?.node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) | Node::Symlink(_) => Err(Errno::NotDirectory),
        }
    }

    /// A directory in which names can still be made: one that was removed takes none.
    pub(super) fn check_alive(&self, dir: Ino) -> Result<()> {
        let gone = dir != Ino::ROOT && self.get(dir)?.places.is_empty();
        if gone { Err(Errno::NotFound) } else { Ok(()) }
    }

    /// The directory a directory is in; the root is in itself.
    pub(super) fn parent(&self, dir: Ino) -> Result<Ino> {
        if dir == Ino::ROOT {
            return Ok(dir);
        }
        let (parent, _) = self.get(dir)?.places.first().ok_or(Errno::NotFound)?;
        Ok(*parent)
    }

    /// Whether `dir` is `ancestor` or below it.
    pub(super) fn is_within(&self, mut dir: Ino, ancestor: Ino) -> bool {
        while dir != ancestor {
            match self.parent(dir) {
                Ok(parent) if parent != dir => dir = parent,
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    /// Makes an inode and a name for it.
    pub(super) fn add(&mut self, dir: Ino, name: &str, mut inode: Inode) -> Result<Ino> {
        self.check_alive(dir)?;
        let charge = inode.charged();
        self.check_space(charge + cost_of_name(name), 1)?;
        let parent = self.get(dir)?;
        if parent.mode & 0o2000 != 0 {
            inode.gid = parent.gid;
            if inode.is_directory() {
                inode.mode |= 0o2000;
            }
        }
        let now = inode.changed;
        let ino = Ino(self.next_ino);
        self.next_ino += 1;
        self.bytes += charge;
        self.inodes.insert_mut(ino, inode);
        self.attach(dir, name, ino, now)?;
        Ok(ino)
    }

    /// Makes an inode without a name, kept for the handle that will be on it.
    pub(super) fn add_unnamed(&mut self, inode: Inode) -> Result<Ino> {
        let charge = inode.charged();
        self.check_space(charge, 1)?;
        let ino = Ino(self.next_ino);
        self.next_ino += 1;
        self.bytes += charge;
        self.inodes.insert_mut(ino, inode);
        self.orphans.insert_mut(ino);
        Ok(ino)
    }

    /// Gives an inode a name that is free; the caller has asked for space.
    pub(super) fn attach(&mut self, dir: Ino, name: &str, ino: Ino, now: FileTime) -> Result<()> {
        let name: Arc<str> = name.into();
        let inode = self.get_mut(ino)?;
        inode.places.insert_mut((dir, name.clone()));
        inode.changed = now;
        let is_directory = u64::from(inode.is_directory());
        self.bytes += cost_of_name(&name);
        let directory = self.directory_mut(dir)?;
        directory.insert(name, ino);
        directory.directories += is_directory;
        self.get_mut(dir)?.touch(now);
        Ok(())
    }

    /// Takes a name away; what it led to stays, perhaps without any name.
    pub(super) fn detach(&mut self, dir: Ino, name: &str, ino: Ino, now: FileTime) -> Result<()> {
        let place = (dir, Arc::from(name));
        let inode = self.get_mut(ino)?;
        inode.places.remove_mut(&place);
        inode.changed = now;
        let is_directory = u64::from(inode.is_directory());
        self.bytes -= cost_of_name(name);
        let directory = self.directory_mut(dir)?;
        directory.remove(name);
        directory.directories -= is_directory;
        self.get_mut(dir)?.touch(now);
        Ok(())
    }

    /// Lets a name that leads to `old` lead to `new` in one step; it keeps its place in listings.
    pub(super) fn replace(
        &mut self,
        (dir, name): (Ino, &str),
        old: Ino,
        new: Ino,
        now: FileTime,
    ) -> Result<()> {
        let name: Arc<str> = name.into();
        let replaced = self.get_mut(old)?;
        replaced.places.remove_mut(&(dir, name.clone()));
        replaced.changed = now;
        let inode = self.get_mut(new)?;
        inode.places.insert_mut((dir, name.clone()));
        inode.changed = now;
        self.directory_mut(dir)?.insert(name, new);
        self.get_mut(dir)?.touch(now);
        Ok(())
    }

    /// Forgets an inode and what it cost.
    pub(super) fn free(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.get(&ino) {
            self.bytes -= inode.charged();
            self.inodes.remove_mut(&ino);
            self.orphans.remove_mut(&ino);
        }
    }

    /// Changes a file's content, and what it costs; the caller has asked for space.
    pub(super) fn change_content(
        &mut self,
        ino: Ino,
        now: FileTime,
        change: impl FnOnce(&mut Content),
    ) -> Result<()> {
        let inode = self.get_mut(ino)?;
        let Node::File(content) = &mut inode.node else {
            return Err(Errno::Invalid);
        };
        let before = content.charged();
        change(content);
        let after = content.charged();
        inode.touch(now);
        self.bytes = self.bytes - before + after;
        Ok(())
    }
}

pub(super) fn cost_of_name(name: &str) -> u64 {
    ENTRY_BYTES + name.len() as u64
}
