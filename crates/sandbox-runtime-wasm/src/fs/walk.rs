//! From a path to what it names.

use std::borrow::Cow;
use std::collections::VecDeque;

use sandbox_core::{MAX_NAME_BYTES, MAX_PATH_BYTES, SandboxPath};

use super::FileSystem;
use super::errno::{Errno, Result};
use super::handle::Handle;
use super::inode::{Ino, Node};
use super::tree::Tree;

/// The most symbolic links followed on one way.
pub const MAX_SYMLINKS: usize = 40;

/// Where a path starts: at the root, or for a relative one at an open directory.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    dir: Option<Handle>,
    pub(super) path: &'a str,
}

impl<'a> At<'a> {
    /// `path` seen from the open directory `dir`; an absolute one starts at the root all the same.
    pub const fn below(dir: Handle, path: &'a str) -> Self {
        Self {
            dir: Some(dir),
            path,
        }
    }

    /// Another path from the same start.
    pub(super) const fn with<'b>(self, path: &'b str) -> At<'b> {
        At {
            dir: self.dir,
            path,
        }
    }
}

impl<'a> From<&'a str> for At<'a> {
    /// An absolute path; a relative one is [`Errno::Invalid`] wherever it is used.
    fn from(path: &'a str) -> Self {
        Self { dir: None, path }
    }
}

impl<'a> From<&'a SandboxPath> for At<'a> {
    fn from(path: &'a SandboxPath) -> Self {
        path.as_str().into()
    }
}

/// The last component of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Last {
    Root,
    Dot,
    DotDot,
    Name(String),
}

/// The directory a path's last component is in. The component itself was not looked up.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) dir: Ino,
    pub(super) last: Last,
    /// Whether slashes follow it.
    pub(super) slash: bool,
}

/// What stands at the end of a path.
#[derive(Debug)]
pub(super) enum Found {
    Inode(Ino),
    /// Nothing, but the directory it would be in is there.
    Missing {
        dir: Ino,
        name: String,
        slash: bool,
    },
}

impl FileSystem {
    /// The directory that `at` starts from; checks the path's form.
    fn start(&self, at: At<'_>) -> Result<Ino> {
        check_path(at.path)?;
        match at.dir {
            _ if at.path.starts_with('/') => Ok(Ino::ROOT),
            Some(handle) => {
                let ino = self.handle(handle)?.ino;
                self.tree.directory(ino).map(|_| ino)
            }
            None => Err(Errno::Invalid),
        }
    }

    pub(super) fn parent_of(&self, at: At<'_>) -> Result<Parent> {
        self.tree.walk_to_parent(self.start(at)?, at.path)
    }

    pub(super) fn find(&self, at: At<'_>, follow: bool) -> Result<Found> {
        self.tree.walk(self.start(at)?, at.path, follow)
    }

    /// What is at `at`.
    pub(super) fn lookup(&self, at: At<'_>, follow: bool) -> Result<Ino> {
        match self.find(at, follow)? {
            Found::Inode(ino) => Ok(ino),
            Found::Missing { .. } => Err(Errno::NotFound),
        }
    }
}

/// Refuses a path that is empty, too long, or holds a NUL.
pub(super) fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(Errno::NotFound);
    }
    if path.contains('\0') {
        return Err(Errno::Invalid);
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(Errno::NameTooLong);
    }
    Ok(())
}

pub(super) fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

impl Tree {
    /// As [`FileSystem::parent_of`], for a path that starts in the directory `dir`.
    pub(super) fn parent_below(&self, dir: Ino, path: &str) -> Result<Parent> {
        let start = if path.starts_with('/') {
            Ino::ROOT
        } else {
            dir
        };
        self.walk_to_parent(start, path)
    }

    fn walk_to_parent(&self, start: Ino, path: &str) -> Result<Parent> {
        let slash = path.ends_with('/');
        let trimmed = path.trim_end_matches('/');
        let Some(last) = components(trimmed).next_back() else {
            return Ok(Parent {
                dir: Ino::ROOT,
                last: Last::Root,
                slash,
            });
        };
        let above = &trimmed[..trimmed.len() - last.len()];
        let dir = if above.is_empty() {
            start
        } else {
            match self.walk(start, above, true)? {
                Found::Inode(ino) => ino,
                Found::Missing { .. } => return Err(Errno::NotFound),
            }
        };
        self.directory(dir)?;
        if last.len() > MAX_NAME_BYTES {
            return Err(Errno::NameTooLong);
        }
        let last = match last {
            "." => Last::Dot,
            ".." => Last::DotDot,
            name => Last::Name(name.to_owned()),
        };
        Ok(Parent { dir, last, slash })
    }

    /// Walks a path to its end. A link at the end is followed with `follow`, or when slashes
    /// follow it.
    fn walk(&self, start: Ino, path: &str, follow: bool) -> Result<Found> {
        let mut at = start;
        let mut slash = path.ends_with('/');
        let mut ahead: VecDeque<Cow<'_, str>> = components(path).map(Cow::Borrowed).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            let directory = self.directory(at)?;
            if name.len() > MAX_NAME_BYTES {
                return Err(Errno::NameTooLong);
            }
            match &*name {
                "." => continue,
                ".." => {
                    at = self.parent(at)?;
                    continue;
                }
                _ => {}
            }
            let is_last = ahead.is_empty();
            let Some(child) = directory.get(&name) else {
                if !is_last {
                    return Err(Errno::NotFound);
                }
                return Ok(Found::Missing {
                    dir: at,
                    name: name.into_owned(),
                    slash,
                });
            };
            let Node::Symlink(text) = &self.get(child)?.node else {
                at = child;
                continue;
            };
            if is_last && !follow && !slash {
                return Ok(Found::Inode(child));
            }
            links += 1;
            if links > MAX_SYMLINKS {
                return Err(Errno::Loop);
            }
            if text.starts_with('/') {
                at = Ino::ROOT;
            }
            slash |= is_last && text.ends_with('/');
            for name in components(text).rev() {
                ahead.push_front(Cow::Borrowed(name));
            }
        }
        if slash {
            self.directory(at)?;
        }
        Ok(Found::Inode(at))
    }
}
