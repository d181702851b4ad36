//! A file's bytes at one moment, held and known again without reading them.

use super::FileSystem;
use super::content::Content;
use super::errno::{Errno, Result};
use super::handle::Handle;
use super::inode::Node;
use super::walk::At;

/// A file's bytes as they were when this was taken: it shares their chunks, so that taking it costs
/// the same whatever the size, and writing to the file afterwards does not change it.
#[derive(Debug, Clone)]
pub struct Contents(Content);

impl Contents {
    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// Reads from `offset` into `into`; answers how many bytes there were, 0 at the end.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        self.0.read(offset, into)
    }

    /// All bytes; `None` when there are more than `limit`.
    pub fn to_vec(&self, limit: usize) -> Option<Vec<u8>> {
        let size = usize::try_from(self.size()).ok()?;
        if size > limit {
            return None;
        }
        let mut bytes = vec![0; size];
        self.read(0, &mut bytes);
        Some(bytes)
    }

    /// Whether both share every chunk: then they are equal. `false` says nothing.
    pub(crate) fn shares_all_with(&self, other: &Self) -> bool {
        self.0.shares_all_with(&other.0)
    }

    /// The same for contents that [share all](Self::shares_all_with), as long as one is held.
    pub(crate) fn fingerprint(&self) -> (u64, usize) {
        (self.size(), self.0.first_chunk())
    }
}

impl From<&[u8]> for Contents {
    fn from(bytes: &[u8]) -> Self {
        let mut content = Content::new();
        content.write(0, bytes);
        Self(content)
    }
}

impl FileSystem {
    /// The bytes of the file at `at` as they are now; a link is followed.
    ///
    /// # Errors
    /// [`Errno::IsDirectory`]; those of a path.
    pub fn contents<'a>(&self, at: impl Into<At<'a>>) -> Result<Contents> {
        let ino = self.metadata(at, true)?.ino;
        self.contents_of_inode(ino)
    }

    /// The bytes of an open file as they are now.
    ///
    /// # Errors
    /// [`Errno::BadHandle`], [`Errno::IsDirectory`].
    pub fn contents_of(&self, handle: Handle) -> Result<Contents> {
        self.contents_of_inode(self.handle(handle)?.ino)
    }

    fn contents_of_inode(&self, ino: super::Ino) -> Result<Contents> {
        match &self.tree.get(ino)?.node {
            Node::File(content) => Ok(Contents(content.clone())),
            Node::Directory(_) => Err(Errno::IsDirectory),
            Node::Symlink(_) => Err(Errno::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Caller, Limits, OpenOptions};

    fn file(bytes: &[u8]) -> (FileSystem, Handle) {
        let by = Caller::default();
        let mut files = FileSystem::new(Limits::default(), by);
        let options = OpenOptions {
            read: true,
            write: true,
            create: true,
            mode: 0o644,
            ..Default::default()
        };
        let handle = files.open("/f", options, by).unwrap();
        files.write_at(handle, 0, bytes, by).unwrap();
        (files, handle)
    }

    #[test]
    fn writing_afterwards_does_not_change_what_was_taken() {
        let (mut files, handle) = file(&[1; 200_000]);
        let taken = files.contents("/f").unwrap();
        let again = files.contents_of(handle).unwrap();
        assert!(taken.shares_all_with(&again));
        assert_eq!(taken.fingerprint(), again.fingerprint());

        let by = Caller::default();
        files.write_at(handle, 150_000, &[2], by).unwrap();
        let changed = files.contents("/f").unwrap();
        assert!(!taken.shares_all_with(&changed));
        assert_eq!(taken.to_vec(200_000).unwrap(), [1; 200_000]);
        assert_eq!(changed.to_vec(200_000).unwrap()[150_000], 2);
        assert!(changed.to_vec(199_999).is_none(), "more than the limit");
    }

    #[test]
    fn a_fork_and_a_copy_of_attributes_share_all() {
        let (mut files, _) = file(&[7; 100]);
        let fork = FileSystem::from_snapshot(&files.snapshot(), Limits::default()).unwrap();
        files.set_mode("/f", 0o755, Caller::default()).unwrap();
        let (one, other) = (files.contents("/f").unwrap(), fork.contents("/f").unwrap());
        assert!(one.shares_all_with(&other));
        let equal = Contents::from(&[7; 100][..]);
        assert!(!one.shares_all_with(&equal), "equal, and not known to be");
    }
}
