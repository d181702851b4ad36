//! What changes a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use sandbox_core::FileChange;

use super::{Content, FsError, FsResult, Ino, Node, ROOT, Tree};

/// A user and a group by number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Tree {
    /// Puts a new node into a directory.
    pub(crate) fn add(
        &mut self,
        dir: Ino,
        name: &str,
        content: Content,
        mode: u32,
        owner: Owner,
    ) -> FsResult<Ino> {
        if name.is_empty() || self.entries(dir)?.contains_key(name) {
            return Err(FsError::Exists);
        }
        let ino = self.next;
        let node = Node {
            content,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            modified: self.now,
            parent: dir,
        };
        self.grow(0, node.size())?;
        self.next += 1;
        self.nodes.insert(ino, node);
        self.insert_entry(dir, name, ino)?;
        self.changed(FileChange::Create, dir, name);
        Ok(ino)
    }

    /// Makes every missing directory of `path`; gives the last.
    pub(crate) fn make_dirs(&mut self, path: &str, mode: u32, owner: Owner) -> FsResult<Ino> {
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = match self.find(at, name, true) {
                Ok(child) => {
                    self.entries(child)?;
                    child
                }
                Err(FsError::NotFound) => {
                    self.add(at, name, Content::Directory(BTreeMap::new()), mode, owner)?
                }
                Err(error) => return Err(error),
            };
        }
        Ok(at)
    }

    /// Replaces a file's content whole.
    pub(crate) fn replace(&mut self, ino: Ino, data: Vec<u8>) -> FsResult<()> {
        let old = self.data(ino)?.len() as u64;
        self.grow(old, data.len() as u64)?;
        let now = self.now;
        let node = self.node_mut(ino)?;
        node.content = Content::File(Arc::new(data));
        node.modified = now;
        self.changed_node(FileChange::Write, ino);
        Ok(())
    }

    /// Writes into a file at `offset`, filling a gap with zeros.
    pub(crate) fn write_at(&mut self, ino: Ino, offset: u64, data: &[u8]) -> FsResult<()> {
        let old = self.data(ino)?.len() as u64;
        let end = offset + data.len() as u64;
        self.grow(old, old.max(end))?;
        let now = self.now;
        let node = self.node_mut(ino)?;
        node.modified = now;
        if let Content::File(content) = &mut node.content {
            let start = usize::try_from(offset).map_err(|_| FsError::NoSpace)?;
            let content = Arc::make_mut(content);
            let end = start + data.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(data);
        }
        self.changed_node(FileChange::Write, ino);
        Ok(())
    }

    pub(crate) fn set_mode(&mut self, ino: Ino, mode: u32) -> FsResult<()> {
        self.node_mut(ino)?.mode = mode;
        self.changed_node(FileChange::Chmod, ino);
        Ok(())
    }

    pub(crate) fn set_owner(&mut self, ino: Ino, owner: Owner) -> FsResult<()> {
        let node = self.node_mut(ino)?;
        (node.uid, node.gid) = (owner.uid, owner.gid);
        self.changed_node(FileChange::Chmod, ino);
        Ok(())
    }

    pub(crate) fn touch(&mut self, ino: Ino) -> FsResult<()> {
        let now = self.now;
        self.node_mut(ino)?.modified = now;
        self.changed_node(FileChange::Chmod, ino);
        Ok(())
    }

    /// Takes an entry out; a directory that is not empty only with `recursive`.
    pub(crate) fn remove(&mut self, dir: Ino, name: &str, recursive: bool) -> FsResult<()> {
        let ino = *self.entries(dir)?.get(name).ok_or(FsError::NotFound)?;
        if let Ok(entries) = self.entries(ino) {
            let children: Vec<String> = entries.keys().cloned().collect();
            if !children.is_empty() && !recursive {
                return Err(FsError::NotEmpty);
            }
            for child in children {
                self.remove(ino, &child, true)?;
            }
        }
        self.changed(FileChange::Remove, dir, name);
        self.take_entry(dir, name)?;
        self.forget(ino);
        Ok(())
    }

    /// Moves an entry, replacing a file or an empty directory of the same kind.
    ///
    /// # Errors
    /// About what is at `from` before anything about `to` is looked at.
    pub(crate) fn rename(&mut self, from: (Ino, &str), to: (Ino, &str)) -> FsResult<()> {
        let ino = *self.entries(from.0)?.get(from.1).ok_or(FsError::NotFound)?;
        if self.is_inside(to.0, ino)? {
            return Err(FsError::Invalid);
        }
        let is_dir = matches!(self.node(ino)?.content, Content::Directory(_));
        if let Some(old) = self.entries(to.0)?.get(to.1).copied() {
            if old == ino {
                return Ok(());
            }
            match (&self.node(old)?.content, is_dir) {
                (Content::Directory(entries), true) if entries.is_empty() => {}
                (Content::Directory(_), true) => return Err(FsError::NotEmpty),
                (Content::Directory(_), false) => return Err(FsError::IsDirectory),
                (Content::File(_) | Content::Link(_) | Content::Device(_), true) => {
                    return Err(FsError::NotDirectory);
                }
                (Content::File(_) | Content::Link(_) | Content::Device(_), false) => {}
            }
            self.take_entry(to.0, to.1)?;
            self.forget(old);
        }
        self.changed(FileChange::Rename, from.0, from.1);
        self.take_entry(from.0, from.1)?;
        self.insert_entry(to.0, to.1, ino)?;
        self.node_mut(ino)?.parent = to.0;
        self.changed(FileChange::Create, to.0, to.1);
        Ok(())
    }

    /// Whether `dir` is `ancestor` or below it.
    fn is_inside(&self, dir: Ino, ancestor: Ino) -> FsResult<bool> {
        let mut at = dir;
        loop {
            if at == ancestor {
                return Ok(true);
            }
            if at == ROOT {
                return Ok(false);
            }
            at = self.node(at)?.parent;
        }
    }

    fn insert_entry(&mut self, dir: Ino, name: &str, ino: Ino) -> FsResult<()> {
        let now = self.now;
        let node = self.node_mut(dir)?;
        node.modified = now;
        match &mut node.content {
            Content::Directory(entries) => {
                entries.insert(name.to_owned(), ino);
                Ok(())
            }
            Content::File(_) | Content::Link(_) | Content::Device(_) => Err(FsError::NotDirectory),
        }
    }

    fn take_entry(&mut self, dir: Ino, name: &str) -> FsResult<()> {
        let now = self.now;
        let node = self.node_mut(dir)?;
        node.modified = now;
        if let Content::Directory(entries) = &mut node.content {
            entries.remove(name);
        }
        Ok(())
    }

    fn forget(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.remove(&ino) {
            self.used -= node.size();
        }
    }

    /// Accounts for a file that goes from `old` bytes to `new`.
    fn grow(&mut self, old: u64, new: u64) -> FsResult<()> {
        let used = self.used - old + new;
        if new > old && self.limit.is_some_and(|limit| used > limit) {
            return Err(FsError::NoSpace);
        }
        self.used = used;
        Ok(())
    }
}
