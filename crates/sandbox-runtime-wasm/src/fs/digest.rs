//! A tree as one number: the same for the same names, attributes and contents.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::content::Content;
use super::errno::Result;
use super::export::{Walk, path_of};
use super::inode::{Ino, Inode, Node, Place};
use super::tree::Snapshot;

/// A SHA-256.
pub type Sha256Bytes = [u8; 32];

/// Takes the digests of trees, and remembers those of the chunks it has seen: the digest of a tree
/// that shares most of its chunks with an earlier one takes little more than a step for each name.
#[derive(Debug, Default)]
pub struct TreeDigester {
    /// By the chunk's address, which stays its own as long as the chunk is held here.
    chunks: HashMap<usize, (Arc<Vec<u8>>, Option<Sha256Bytes>)>,
}

impl Snapshot {
    /// The SHA-256 of everything in it that a user put there: of every name in order its path,
    /// kind, permission bits and owner, a file's content, a link's text, and which names lead to
    /// the same file. Times, inode numbers and where the holes of a file are do not count.
    ///
    /// # Errors
    /// [`Errno::NameTooLong`](super::Errno::NameTooLong) when something lies deeper than a path
    /// reaches.
    pub fn digest(&self) -> Result<Sha256Bytes> {
        TreeDigester::default().digest(self)
    }
}

impl TreeDigester {
    /// As [`Snapshot::digest`].
    ///
    /// # Errors
    /// As [`Snapshot::digest`].
    pub fn digest(&mut self, snapshot: &Snapshot) -> Result<Sha256Bytes> {
        let tree = snapshot.tree();
        let mut hash = Sha256::new();
        hash.update(b"sandbox-tree-1\0");
        attributes(&mut hash, b'd', "", tree.get(Ino::ROOT)?);
        // Where a file with more names was seen under the first of them.
        let mut first: HashMap<Ino, Place> = HashMap::new();
        let mut walk = Walk::new(tree, Ino::ROOT)?;
        while let Some((place, ino)) = walk.step()? {
            let inode = tree.get(ino)?;
            let path = walk.path();
            if let Some(place) = first.get(&ino) {
                hash.update(b"h");
                text(&mut hash, path);
                text(&mut hash, &path_of(tree, Ino::ROOT, place.clone())?);
                continue;
            }
            match &inode.node {
                Node::Directory(_) => attributes(&mut hash, b'd', path, inode),
                Node::Symlink(target) => {
                    attributes(&mut hash, b'l', path, inode);
                    text(&mut hash, target);
                }
                Node::File(content) => {
                    attributes(&mut hash, b'f', path, inode);
                    self.content(&mut hash, content);
                }
            }
            if inode.places.size() > 1 && !inode.is_directory() {
                first.insert(ino, place);
            }
        }
        Ok(hash.finalize().into())
    }

    /// The size, and of every chunk that is not all zeros its number and the digest of its bytes
    /// without the zeros at its end: what a file with holes costs is what it holds.
    fn content(&mut self, hash: &mut Sha256, content: &Content) {
        hash.update(content.size().to_le_bytes());
        for (index, chunk) in content.chunks() {
            if let Some(digest) = self.chunk(chunk) {
                hash.update(index.to_le_bytes());
                hash.update(digest);
            }
        }
        hash.update(u64::MAX.to_le_bytes());
    }

    fn chunk(&mut self, chunk: &Arc<Vec<u8>>) -> Option<Sha256Bytes> {
        let address = Arc::as_ptr(chunk) as usize;
        let (_, digest) = self.chunks.entry(address).or_insert_with(|| {
            let end = chunk.iter().rposition(|byte| *byte != 0).map(|at| at + 1);
            let digest = end.map(|end| Sha256::digest(&chunk[..end]).into());
            (chunk.clone(), digest)
        });
        *digest
    }
}

fn attributes(hash: &mut Sha256, kind: u8, path: &str, inode: &Inode) {
    hash.update([kind]);
    text(hash, path);
    for number in [inode.mode, inode.uid, inode.gid] {
        hash.update(number.to_le_bytes());
    }
}

/// With its length before it: no two lists of texts make the same bytes.
fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::super::{Caller, FileSystem, FileTime, Handle, Limits, OpenOptions};
    use super::*;

    fn by(now: u64) -> Caller {
        Caller {
            uid: 0,
            gid: 0,
            now: FileTime::from_nanos(now),
        }
    }

    fn new_fs(now: u64) -> FileSystem {
        FileSystem::new(Limits::default(), by(now))
    }

    fn open(fs: &mut FileSystem, path: &str) -> Handle {
        let options = OpenOptions {
            write: true,
            create: true,
            mode: 0o644,
            ..OpenOptions::default()
        };
        fs.open(path, options, by(1)).unwrap()
    }

    fn write(fs: &mut FileSystem, path: &str, offset: u64, bytes: &[u8]) {
        let handle = open(fs, path);
        fs.write_at(handle, offset, bytes, by(2)).unwrap();
        fs.close(handle).unwrap();
    }

    fn digest(fs: &FileSystem) -> Sha256Bytes {
        fs.snapshot().digest().unwrap()
    }

    #[test]
    fn the_same_tree_has_the_same_digest_whatever_its_history() {
        let mut one = new_fs(5);
        one.make_dir("/d", 0o755, by(6)).unwrap();
        write(&mut one, "/d/a", 0, b"a");
        write(&mut one, "/d/b", 0, b"b");
        let mut two = new_fs(0);
        write(&mut two, "/gone", 0, b"gone");
        two.make_dir("/d", 0o755, by(9)).unwrap();
        write(&mut two, "/d/b", 0, b"other");
        write(&mut two, "/d/a", 0, b"a");
        two.truncate("/d/b", 0, by(9)).unwrap();
        write(&mut two, "/d/b", 0, b"b");
        two.unlink("/gone", by(9)).unwrap();
        assert_eq!(digest(&one), digest(&two));
    }

    #[test]
    fn everything_a_user_can_change_is_in_the_digest() {
        let mut fs = new_fs(0);
        let mut seen = vec![digest(&fs)];
        let mut step = |fs: &FileSystem, what: &str| {
            let digest = digest(fs);
            assert!(!seen.contains(&digest), "{what} changes the digest");
            seen.push(digest);
        };
        write(&mut fs, "/f", 0, b"x");
        step(&fs, "a file");
        write(&mut fs, "/f", 0, b"y");
        step(&fs, "content");
        fs.truncate("/f", 2, by(0)).unwrap();
        step(&fs, "a zero more");
        fs.set_mode("/f", 0o600, by(0)).unwrap();
        step(&fs, "mode");
        fs.set_owner("/f", true, (7, 0), by(0)).unwrap();
        step(&fs, "user");
        fs.set_owner("/f", true, (7, 7), by(0)).unwrap();
        step(&fs, "group");
        fs.rename("/f", "/g", by(0)).unwrap();
        step(&fs, "name");
        fs.link("/g", false, "/h", by(0)).unwrap();
        step(&fs, "a further name");
        fs.unlink("/h", by(0)).unwrap();
        write(&mut fs, "/h", 0, b"y\0");
        fs.set_mode("/h", 0o600, by(0)).unwrap();
        fs.set_owner("/h", true, (7, 7), by(0)).unwrap();
        step(&fs, "an equal file in place of the further name");
        fs.symlink("/g", "/l", by(0)).unwrap();
        step(&fs, "a link");
        fs.unlink("/l", by(0)).unwrap();
        fs.symlink("/h", "/l", by(0)).unwrap();
        step(&fs, "a link's text");
        fs.make_dir("/d", 0o755, by(0)).unwrap();
        step(&fs, "a directory");
        fs.set_mode("/", 0o700, by(0)).unwrap();
        step(&fs, "the root's mode");
    }

    #[test]
    fn a_hole_is_the_same_as_zeros_and_costs_nothing() {
        let mut holes = new_fs(0);
        write(&mut holes, "/f", 200_000, b"x");
        let mut zeros = new_fs(0);
        write(&mut zeros, "/f", 0, &[0; 200_000]);
        write(&mut zeros, "/f", 200_000, b"x");
        assert_eq!(digest(&holes), digest(&zeros));

        // A gigabyte a file, and a thousand names: read through, it would take minutes.
        let mut huge = new_fs(0);
        for name in 0..1000 {
            let handle = open(&mut huge, &format!("/{name}"));
            huge.set_len(handle, 1 << 30, by(0)).unwrap();
            huge.close(handle).unwrap();
        }
        let mut digester = TreeDigester::default();
        digester.digest(&huge.snapshot()).unwrap();
        assert!(digester.chunks.is_empty());
    }

    #[test]
    fn a_chunk_that_is_shared_is_taken_once() {
        let mut fs = new_fs(0);
        for name in 0..10_u8 {
            write(&mut fs, &format!("/{name}"), 0, &[name + 1; 100]);
        }
        let mut digester = TreeDigester::default();
        let before = digester.digest(&fs.snapshot()).unwrap();
        assert_eq!(before, digest(&fs));
        write(&mut fs, "/0", 0, b"!");
        assert_eq!(digester.digest(&fs.snapshot()).unwrap(), digest(&fs));
        assert_eq!(digester.chunks.len(), 11);
    }

    #[test]
    fn the_canonical_tree_shows_nothing_of_its_history() {
        let mut fs = new_fs(3);
        write(&mut fs, "/z", 0, b"z");
        write(&mut fs, "/a", 0, b"a");
        fs.make_dir("/m", 0o2755, by(4)).unwrap();
        fs.set_owner("/m", true, (1, 2), by(4)).unwrap();
        fs.set_mode("/m", 0o2755, by(4)).unwrap();
        write(&mut fs, "/m/x", 0, b"x");
        fs.set_owner("/m/x", true, (3, 4), by(4)).unwrap();
        fs.link("/z", false, "/m/z", by(5)).unwrap();
        fs.unlink("/a", by(5)).unwrap();
        write(&mut fs, "/a", 0, b"a");
        let time = FileTime::from_nanos(42);
        let canonical = fs.snapshot().canonical(time).unwrap();
        assert_eq!(canonical.digest().unwrap(), digest(&fs));
        assert_eq!(canonical.usage(), fs.usage());

        let mut seen = FileSystem::from_snapshot(&canonical, Limits::default()).unwrap();
        let root = seen.open("/", OpenOptions::default(), by(0)).unwrap();
        let names: Vec<String> = seen
            .read_dir(root, 2, 9)
            .unwrap()
            .iter()
            .map(|entry| entry.name.to_string())
            .collect();
        assert_eq!(names, ["a", "m", "z"]);
        for path in ["/", "/a", "/m", "/m/x", "/z"] {
            let metadata = seen.metadata(path, false).unwrap();
            assert_eq!(
                (metadata.modified, metadata.changed),
                (time, time),
                "{path}"
            );
            let original = fs.metadata(path, false).unwrap();
            assert_eq!(metadata.mode, original.mode, "{path}");
            assert_eq!((metadata.uid, metadata.gid), (original.uid, original.gid));
            assert_eq!(metadata.links, original.links, "{path}");
        }
        let ino = |path: &str| seen.metadata(path, false).unwrap().ino;
        assert_eq!(ino("/z"), ino("/m/z"));
        assert!(ino("/a") < ino("/m") && ino("/m") < ino("/m/x"));
        // Again, nothing changes: not even the numbers to come.
        let again = canonical.canonical(time).unwrap();
        let mut again = FileSystem::from_snapshot(&again, Limits::default()).unwrap();
        for fs in [&mut seen, &mut again] {
            write(fs, "/new", 0, b"n");
        }
        assert_eq!(seen.metadata("/new", false), again.metadata("/new", false));
    }
}
