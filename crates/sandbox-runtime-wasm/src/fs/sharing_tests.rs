//! What a snapshot shares, by the addresses of chunks and not by the time it takes.

use super::{CHUNK_BYTES, Caller, FileSystem, Limits, OpenOptions};
use crate::fs::inode::Node;

const BY: Caller = Caller {
    uid: 0,
    gid: 0,
    now: super::FileTime::from_nanos(0),
};
const CHUNKS: u64 = 64;

fn big() -> FileSystem {
    let mut fs = FileSystem::new(Limits::default(), BY);
    for name in ["/big", "/other"] {
        write(&mut fs, name, 0, &vec![7; (CHUNKS * CHUNK_BYTES) as usize]);
    }
    fs
}

fn write(fs: &mut FileSystem, path: &str, offset: u64, bytes: &[u8]) {
    let options = OpenOptions {
        write: true,
        create: true,
        ..OpenOptions::default()
    };
    let handle = fs.open(path, options, BY).unwrap();
    fs.write_at(handle, offset, bytes, BY).unwrap();
    fs.close(handle).unwrap();
}

fn chunks(fs: &FileSystem, path: &str) -> Vec<usize> {
    let ino = fs.lookup(path.into(), true).unwrap();
    let Node::File(content) = &fs.tree.get(ino).unwrap().node else {
        panic!("{path} is a file");
    };
    (0..CHUNKS)
        .map(|index| content.chunk_address(index).unwrap())
        .collect()
}

#[test]
fn snapshot_fork_and_reset_copy_one_pointer_and_no_inode() {
    let mut fs = big();
    let snapshot = fs.snapshot();
    assert!(snapshot.tree().shares_inodes_with(&fs.tree));
    let fork = FileSystem::from_snapshot(&snapshot, Limits::default()).unwrap();
    assert!(fork.tree.shares_inodes_with(&fs.tree));
    write(&mut fs, "/new", 0, b"x");
    assert!(!snapshot.tree().shares_inodes_with(&fs.tree));
    fs.reset(&snapshot).unwrap();
    assert!(fs.tree.shares_inodes_with(&fork.tree));
}

#[test]
fn the_first_write_into_a_fork_copies_one_chunk() {
    let fs = big();
    let mut fork = FileSystem::from_snapshot(&fs.snapshot(), Limits::default()).unwrap();
    let before = chunks(&fs, "/big");
    write(&mut fork, "/big", 10 * CHUNK_BYTES + 5, b"changed");
    let after = chunks(&fork, "/big");
    let copied: Vec<usize> = (0..before.len())
        .filter(|i| before[*i] != after[*i])
        .collect();
    assert_eq!(copied, [10]);
    assert_eq!(chunks(&fs, "/big"), before);
    assert_eq!(chunks(&fs, "/other"), chunks(&fork, "/other"));
}

#[test]
fn a_chunk_that_nobody_else_has_is_written_in_place() {
    let mut fs = big();
    let before = chunks(&fs, "/big");
    write(&mut fs, "/big", 0, b"changed");
    assert_eq!(chunks(&fs, "/big"), before);
}
