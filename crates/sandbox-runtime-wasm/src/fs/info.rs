//! Attributes as the callers of a sandbox see them.

use sandbox_core::{FileInfo, Link, LinkTarget, SandboxPath};

use super::FileSystem;
use super::errno::Result;
use super::inode::{Ino, Metadata, Node};
use super::names_of_users::Owners;

impl FileSystem {
    /// The attributes of `path`, with names by `owners`; a link at its end is followed with
    /// `follow`, and is described itself without.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    pub fn info(&self, path: &SandboxPath, follow: bool, owners: &Owners) -> Result<FileInfo> {
        let ino = self.lookup(path.into(), follow)?;
        self.info_of(path.clone(), ino, owners)
    }

    pub(super) fn info_of(&self, path: SandboxPath, ino: Ino, owners: &Owners) -> Result<FileInfo> {
        let inode = self.tree.get(ino)?;
        let mut info = describe(path, &inode.metadata(ino), owners);
        if let Node::Symlink(text) = &inode.node {
            let target = self.real_path(&info.path).ok();
            info.link = Some(Link {
                text: text.to_string(),
                target: target.map(|(path, kind)| LinkTarget { path, kind }),
            });
        }
        Ok(info)
    }
}

/// What `metadata` says, but where a link leads.
fn describe(path: SandboxPath, metadata: &Metadata, owners: &Owners) -> FileInfo {
    let mut info = FileInfo::new(path, metadata.kind, metadata.size);
    info.mode = metadata.mode;
    (info.uid, info.gid) = (metadata.uid, metadata.gid);
    info.owner = owners.user(metadata.uid).map(str::to_owned);
    info.group = owners.group(metadata.gid).map(str::to_owned);
    info.modified = metadata.modified.into();
    info
}
