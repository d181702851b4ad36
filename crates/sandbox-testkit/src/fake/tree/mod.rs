//! A file tree as a value: cloning shares the contents.

mod change;
mod edit;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use sandbox_core::{FileKind, Timestamp};

pub(crate) use change::Change;
pub(crate) use edit::Owner;

pub(crate) type Ino = u64;
pub(crate) const ROOT: Ino = 1;

/// Why the tree refuses, in the words of `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FsError {
    NotFound,
    NotDirectory,
    IsDirectory,
    Loop,
    Exists,
    NotEmpty,
    NoSpace,
    Denied,
    Invalid,
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "No such file or directory",
            Self::NotDirectory => "Not a directory",
            Self::IsDirectory => "Is a directory",
            Self::Loop => "Too many levels of symbolic links",
            Self::Exists => "File exists",
            Self::NotEmpty => "Directory not empty",
            Self::NoSpace => "No space left on device",
            Self::Denied => "Permission denied",
            Self::Invalid => "Invalid argument",
        })
    }
}

pub(crate) type FsResult<T> = Result<T, FsError>;

/// A device that processes find under `/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Full,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    File(Arc<Vec<u8>>),
    Directory(BTreeMap<String, Ino>),
    Link(String),
    Device(Device),
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: Timestamp,
    pub(crate) parent: Ino,
}

impl Node {
    pub(crate) fn kind(&self) -> FileKind {
        match self.content {
            Content::File(_) => FileKind::File,
            Content::Directory(_) => FileKind::Directory,
            Content::Link(_) => FileKind::Symlink,
            Content::Device(_) => FileKind::Other,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::File(data) => data.len() as u64,
            Content::Link(text) => text.len() as u64,
            Content::Directory(_) | Content::Device(_) => 0,
        }
    }
}

/// Read, write, execute, as in a mode.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    Read = 4,
    Write = 2,
    Execute = 1,
}

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: HashMap<Ino, Node>,
    next: Ino,
    /// Bytes of all files.
    used: u64,
    /// The most bytes of all files.
    limit: Option<u64>,
    pub(super) now: Timestamp,
    changes: change::Changes,
}

impl Tree {
    pub(crate) fn new(now: Timestamp) -> Self {
        let root = Node {
            content: Content::Directory(BTreeMap::new()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            modified: now,
            parent: ROOT,
        };
        Self {
            nodes: HashMap::from([(ROOT, root)]),
            next: ROOT + 1,
            used: 0,
            limit: None,
            now,
            changes: change::Changes::default(),
        }
    }

    pub(crate) fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Allows `bytes` beyond what there is now.
    pub(crate) fn set_limit(&mut self, bytes: Option<u64>) {
        self.limit = bytes.map(|bytes| self.used.saturating_add(bytes));
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn limit(&self) -> Option<u64> {
        self.limit
    }

    pub(crate) fn node(&self, ino: Ino) -> FsResult<&Node> {
        self.nodes.get(&ino).ok_or(FsError::NotFound)
    }

    fn node_mut(&mut self, ino: Ino) -> FsResult<&mut Node> {
        self.nodes.get_mut(&ino).ok_or(FsError::NotFound)
    }

    pub(crate) fn entries(&self, ino: Ino) -> FsResult<&BTreeMap<String, Ino>> {
        match &self.node(ino)?.content {
            Content::Directory(entries) => Ok(entries),
            Content::File(_) | Content::Link(_) | Content::Device(_) => Err(FsError::NotDirectory),
        }
    }

    pub(crate) fn data(&self, ino: Ino) -> FsResult<Arc<Vec<u8>>> {
        match &self.node(ino)?.content {
            Content::File(data) => Ok(Arc::clone(data)),
            Content::Directory(_) => Err(FsError::IsDirectory),
            Content::Link(_) | Content::Device(_) => Err(FsError::Invalid),
        }
    }

    /// Whether `uid` may do this to a node; root may everything but run a file nobody may run.
    pub(crate) fn permits(&self, ino: Ino, owner: Owner, access: Access) -> bool {
        let Ok(node) = self.node(ino) else {
            return false;
        };
        let bit = access as u32;
        if owner.uid == 0 {
            return !matches!(access, Access::Execute) || node.mode & 0o111 != 0;
        }
        let shift = if node.uid == owner.uid {
            6
        } else if node.gid == owner.gid {
            3
        } else {
            0
        };
        node.mode >> shift & bit != 0
    }
}
