//! What a name leads to.

use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use sandbox_core::{FileKind, Timestamp};

use super::content::Content;

/// The number of an inode. A file system never uses one twice; a fork goes on counting from where
/// its snapshot was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub(super) u64);

impl Ino {
    /// The root directory.
    pub const ROOT: Self = Self(1);

    /// The bare number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A point in time of a file: nanoseconds since the Unix epoch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(u64);

impl FileTime {
    /// The point `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl From<Timestamp> for FileTime {
    /// Times past the year 2554 become the last one.
    fn from(time: Timestamp) -> Self {
        Self(time.as_millis().saturating_mul(1_000_000))
    }
}

impl From<FileTime> for Timestamp {
    fn from(time: FileTime) -> Self {
        Self::from_millis(time.0 / 1_000_000)
    }
}

/// Who makes a call, and when: what new files get as their owner and times.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user's number.
    pub uid: u32,
    /// The group's number; a directory with the set-group-id bit passes on its own instead.
    pub gid: u32,
    /// The time of the call: there is no clock inside.
    pub now: FileTime,
}

/// A file's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The inode's number.
    pub ino: Ino,
    /// Its kind; never [`FileKind::Other`].
    pub kind: FileKind,
    /// Bytes in a file, bytes of the text of a link, entries of a directory.
    pub size: u64,
    /// Bytes of the quota that the content takes; less than `size` where there are holes.
    pub allocated: u64,
    /// Permission bits, the lowest twelve.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// How many names lead to it; 2 and one for each directory in it for a directory.
    pub links: u64,
    /// When it was last read, as far as somebody said so: reading does not change it.
    pub accessed: FileTime,
    /// When its content last changed.
    pub modified: FileTime,
    /// When its content or attributes last changed.
    pub changed: FileTime,
}

/// A directory and a name in it.
pub(super) type Place = (Ino, Arc<str>);

#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) node: Node,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) accessed: FileTime,
    pub(super) modified: FileTime,
    pub(super) changed: FileTime,
    /// Every name that leads here; none once it is unlinked, and none for the root.
    pub(super) places: RedBlackTreeSetSync<Place>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(Content),
    Directory(Directory),
    Symlink(Arc<str>),
}

impl Inode {
    pub(super) fn new(node: Node, mode: u32, by: Caller) -> Self {
        Self {
            node,
            mode,
            uid: by.uid,
            gid: by.gid,
            accessed: by.now,
            modified: by.now,
            changed: by.now,
            places: RedBlackTreeSetSync::new_sync(),
        }
    }

    pub(super) fn kind(&self) -> FileKind {
        match self.node {
            Node::File(_) => FileKind::File,
            Node::Directory(_) => FileKind::Directory,
            Node::Symlink(_) => FileKind::Symlink,
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.node, Node::Directory(_))
    }

    pub(super) fn touch(&mut self, now: FileTime) {
        self.modified = now;
        self.changed = now;
    }

    /// What keeping the content costs of the quota; its names are charged apart.
    pub(super) fn charged(&self) -> u64 {
        match &self.node {
            Node::File(content) => content.charged(),
            Node::Directory(_) => 0,
            Node::Symlink(text) => text.len() as u64,
        }
    }

    pub(super) fn metadata(&self, ino: Ino) -> Metadata {
        let names = self.places.size() as u64;
        let (size, links) = match &self.node {
            Node::File(content) => (content.size(), names),
            Node::Symlink(text) => (text.len() as u64, names),
            Node::Directory(d) if names == 0 && ino != Ino::ROOT => (d.len() as u64, 0),
            Node::Directory(d) => (d.len() as u64, 2 + d.directories),
        };
        Metadata {
            ino,
            kind: self.kind(),
            size,
            allocated: self.charged(),
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links,
            accessed: self.accessed,
            modified: self.modified,
            changed: self.changed,
        }
    }
}

/// The first cookie of an entry; `.` and `..` come before.
pub(super) const FIRST_COOKIE: u64 = 3;

/// The entries of a directory. An entry keeps its cookie while it is there, and new ones come
/// last: a reader that stops half-way and goes on sees every entry that stayed exactly once.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    by_name: RedBlackTreeMapSync<Arc<str>, (Ino, u64)>,
    by_cookie: RedBlackTreeMapSync<u64, Arc<str>>,
    next_cookie: u64,
    /// How many entries are directories.
    pub(super) directories: u64,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            by_name: RedBlackTreeMapSync::new_sync(),
            by_cookie: RedBlackTreeMapSync::new_sync(),
            next_cookie: FIRST_COOKIE,
            directories: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.size()
    }

    pub(super) fn get(&self, name: &str) -> Option<Ino> {
        self.by_name.get(name).map(|(ino, _)| *ino)
    }

    /// The entries after the cookie: name, inode, the entry's own cookie.
    pub(super) fn after(&self, cookie: u64) -> impl Iterator<Item = (&Arc<str>, Ino, u64)> {
        self.by_cookie
            .range(cookie.saturating_add(1)..)
            .filter_map(|(cookie, name)| Some((name, self.get(name)?, *cookie)))
    }

    /// The entries by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Ino)> {
        self.by_name.iter().map(|(name, (ino, _))| (name, *ino))
    }

    /// Lets `name` lead to `ino`; a name that is there keeps its cookie.
    pub(super) fn insert(&mut self, name: Arc<str>, ino: Ino) {
        let cookie = match self.by_name.get(&name) {
            Some((_, cookie)) => *cookie,
            None => {
                let cookie = self.next_cookie;
                self.next_cookie += 1;
                self.by_cookie.insert_mut(cookie, name.clone());
                cookie
            }
        };
        self.by_name.insert_mut(name, (ino, cookie));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some((_, cookie)) = self.by_name.get(name) {
            self.by_cookie.remove_mut(cookie);
            self.by_name.remove_mut(name);
        }
    }
}
