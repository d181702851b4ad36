//! Files in a sandbox as values.

use serde::{Deserialize, Serialize};

use crate::{ByteStream, Error, Result, SandboxPath, Timestamp, User};

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or named pipe.
    Other,
}

/// Where a symbolic link leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The text of the link, as `readlink` shows it.
    pub text: String,
    /// What stands at its end inside the sandbox; `None` when nothing does (dangling, or a loop).
    pub target: Option<LinkTarget>,
}

/// The end of a chain of links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTarget {
    /// Its path, without links.
    pub path: SandboxPath,
    /// Its kind.
    pub kind: FileKind,
}

/// A file's attributes. A link is described itself, never what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its path, as it was asked for.
    pub path: SandboxPath,
    /// Its kind.
    pub kind: FileKind,
    /// Its size in bytes; what it means for anything but a file is the file system's business.
    pub size: u64,
    /// Permission bits, the lowest twelve (`0o7777`).
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, where the sandbox has one for the number.
    pub owner: Option<String>,
    /// The group's name, where the sandbox has one for the number.
    pub group: Option<String>,
    /// When its content last changed.
    pub modified: Timestamp,
    /// Where it leads, for a symbolic link.
    pub link: Option<Link>,
}

impl FileInfo {
    /// Attributes of which only this is known; the rest is zero.
    pub fn new(path: SandboxPath, kind: FileKind, size: u64) -> Self {
        Self {
            path,
            kind,
            size,
            mode: 0,
            uid: 0,
            gid: 0,
            owner: None,
            group: None,
            modified: Timestamp::EPOCH,
            link: None,
        }
    }
}

/// Which part of a file to read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOptions {
    /// Bytes to skip; past the end there is nothing to read, which is no error.
    pub offset: u64,
    /// The most bytes to read; without it, to the end.
    pub length: Option<u64>,
}

/// A file being read.
pub struct FileContent {
    /// Its attributes when it was opened.
    pub info: FileInfo,
    /// The bytes asked for. A file that shrinks meanwhile ends early; one that grows is read to
    /// its size at the start.
    pub body: ByteStream,
}

impl std::fmt::Debug for FileContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileContent")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// How to write a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOptions {
    /// Permission bits; without them an existing file keeps its own and a new one gets `0o644`.
    pub mode: Option<u32>,
    /// The owner; without one an existing file keeps its own and a new one gets the sandbox's user.
    pub user: Option<User>,
    /// Whether missing directories on the way are made (`0o755`, same owner). Default: true.
    pub create_parents: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            mode: None,
            user: None,
            create_parents: true,
        }
    }
}

/// How to make a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeDirOptions {
    /// Permission bits; default `0o755`.
    pub mode: Option<u32>,
    /// The owner; without one, the sandbox's user.
    pub user: Option<User>,
    /// Whether missing directories on the way are made. Default: true.
    pub create_parents: bool,
}

impl Default for MakeDirOptions {
    fn default() -> Self {
        Self {
            mode: None,
            user: None,
            create_parents: true,
        }
    }
}

/// Checks the permission bits of a request.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) with field `mode` above `0o7777`.
pub fn check_mode(mode: Option<u32>) -> Result<()> {
    match mode {
        Some(bits) if bits > 0o7777 => Err(Error::invalid(
            "file.mode",
            "mode",
            format!("{bits:#o} has more than the permission bits; the limit is 0o7777"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What part of a tree to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOptions {
    /// How deep: 1 is the directory's own entries. Links are never followed on the way down.
    pub depth: u32,
    /// The most entries to answer; more is `LimitExceeded`, nothing is cut off silently.
    pub limit: u32,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            depth: 1,
            limit: 100_000,
        }
    }
}

/// How to watch a directory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOptions {
    /// Whether directories below are watched too, those made later included.
    pub recursive: bool,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It appeared: made, or moved here.
    Create,
    /// Its content changed.
    Write,
    /// Its attributes changed.
    Chmod,
    /// It was moved away.
    Rename,
    /// It was removed.
    Remove,
    /// Events were lost because they came faster than they were read; look for yourself.
    Overflow,
}

/// One change under a watched directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvent {
    /// What happened.
    pub change: FileChange,
    /// Where; for [`FileChange::Overflow`], the watched directory.
    pub path: SandboxPath,
}
