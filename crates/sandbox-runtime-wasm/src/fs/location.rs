//! Where an inode is, for what lies at a fixed place, such as devices.

use std::sync::Arc;

use super::FileSystem;
use super::errno::Errno;
use super::inode::{Ino, Node};
use super::walk::{At, Found};

impl FileSystem {
    /// The inode that `name` leads to in the directory `dir`.
    pub(crate) fn child(&self, dir: Ino, name: &str) -> Option<Ino> {
        self.tree.directory(dir).ok()?.get(name)
    }

    /// A name that the regular file `ino` has in the directory `dir`; the first when it has many.
    pub(crate) fn file_name_in(&self, ino: Ino, dir: Ino) -> Option<&Arc<str>> {
        let inode = self.tree.get(ino).ok()?;
        let Node::File(_) = inode.node else {
            return None;
        };
        let place = match inode.places.size() {
            0 => None,
            1 => inode.places.first(),
            _ => inode.places.range((dir, Arc::from(""))..).next(),
        };
        place.filter(|place| place.0 == dir).map(|place| &place.1)
    }

    /// The directory and the name at the end of a path where nothing of that name is there.
    pub(crate) fn missing<'a>(&self, at: impl Into<At<'a>>, follow: bool) -> Option<(Ino, String)> {
        match self.find(at.into(), follow) {
            Ok(Found::Missing { dir, name, .. }) => Some((dir, name)),
            Ok(Found::Inode(_)) | Err(_) => None,
        }
    }

    /// The inode of an open file.
    pub(crate) fn inode_of(&self, handle: super::Handle) -> Result<Ino, Errno> {
        self.handle(handle).map(|file| file.ino)
    }
}
