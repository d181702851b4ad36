//! A tree as it looks to a program, without the history it came from.

use std::collections::HashMap;

use super::FileSystem;
use super::errno::Result;
use super::export::Walk;
use super::inode::{Caller, Directory, FileTime, Ino, Inode, Node};
use super::tree::{Snapshot, Tree};

impl Snapshot {
    /// The same tree with all that its history left behind taken out: inodes are numbered and
    /// directories listed in the order of names, and every time is `time`. Two trees whose
    /// [`digest`](Self::digest) is the same become equal in everything that a program can see.
    /// Contents stay shared; it takes a step for each name.
    ///
    /// # Errors
    /// [`Errno::NameTooLong`](super::Errno::NameTooLong) when something lies deeper than a path
    /// reaches.
    pub fn canonical(&self, time: FileTime) -> Result<Self> {
        let from = self.tree();
        let by = Caller {
            now: time,
            ..Caller::default()
        };
        let mut to = Tree::new(from.limits, by);
        copy_attributes(from.get(Ino::ROOT)?, to.get_mut(Ino::ROOT)?, time);
        let mut copied = HashMap::from([(Ino::ROOT, Ino::ROOT)]);
        let mut walk = Walk::new(from, Ino::ROOT)?;
        while let Some(((dir, name), old)) = walk.step()? {
            // A directory comes before what is in it, so that it has its number by now.
            let dir = copied[&dir];
            if let Some(ino) = copied.get(&old) {
                to.attach(dir, &name, *ino, time)?;
                continue;
            }
            let inode = from.get(old)?;
            let node = match &inode.node {
                Node::Directory(_) => Node::Directory(Directory::new()),
                node @ (Node::File(_) | Node::Symlink(_)) => node.clone(),
            };
            let ino = to.add(dir, &name, Inode::new(node, inode.mode, by))?;
            // Once more: a parent with the set-group-id bit gives what is made in it its group.
            copy_attributes(inode, to.get_mut(ino)?, time);
            copied.insert(old, ino);
        }
        Ok(FileSystem::over(to).snapshot())
    }
}

fn copy_attributes(from: &Inode, to: &mut Inode, time: FileTime) {
    (to.mode, to.uid, to.gid) = (from.mode, from.uid, from.gid);
    (to.accessed, to.modified, to.changed) = (time, time, time);
}
