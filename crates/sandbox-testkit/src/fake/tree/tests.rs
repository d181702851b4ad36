use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use sandbox_core::Timestamp;

use super::{Content, FsError, Ino, Owner, ROOT, Tree};

const ROOT_USER: Owner = Owner { uid: 0, gid: 0 };

fn file(text: &str) -> Content {
    Content::File(Arc::new(text.as_bytes().to_vec()))
}

fn tree(links: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new(Timestamp::EPOCH);
    let dir = tree.make_dirs("/a/b", 0o755, ROOT_USER).unwrap();
    tree.add(dir, "file", file("content"), 0o644, ROOT_USER)
        .unwrap();
    for (name, text) in links {
        let link = Content::Link((*text).to_owned());
        tree.add(ROOT, name, link, 0o777, ROOT_USER).unwrap();
    }
    tree
}

#[test]
fn links_lead_where_they_say_and_never_above_the_root() {
    let tree = tree(&[
        ("absolute", "/a/b/file"),
        ("relative", "a/./b/../b/file"),
        ("climbing", "../../../a/b/file"),
        ("dir", "a/b"),
        ("chain", "dir"),
    ]);
    let target = tree.find(ROOT, "/a/b/file", true).unwrap();
    for path in [
        "/absolute",
        "/relative",
        "/climbing",
        "/dir/file",
        "/chain/file",
        "/../../a/b/file",
    ] {
        assert_eq!(tree.find(ROOT, path, true), Ok(target), "{path}");
    }
    assert_ne!(tree.find(ROOT, "/absolute", false), Ok(target));
    assert_eq!(tree.path_of(target).unwrap(), "/a/b/file");
}

#[test]
fn walks_fail_as_the_kernel_fails() {
    let tree = tree(&[("loop", "pool"), ("pool", "loop"), ("dangling", "/none")]);
    for (path, error) in [
        ("/loop", FsError::Loop),
        ("/dangling", FsError::NotFound),
        ("/none/file", FsError::NotFound),
        ("/a/b/file/below", FsError::NotDirectory),
        ("/a/b/file/", FsError::NotDirectory),
    ] {
        assert_eq!(tree.find(ROOT, path, true), Err(error), "{path}");
    }
}

#[test]
fn a_dangling_link_is_written_through() {
    let mut tree = tree(&[("link", "a/new")]);
    let place = tree.locate(ROOT, "/link", true).unwrap();
    assert_eq!(place.node, None);
    tree.add(place.dir, &place.name, file("x"), 0o644, ROOT_USER)
        .unwrap();
    assert!(tree.find(ROOT, "/a/new", false).is_ok());
}

#[test]
fn a_clone_is_not_changed_by_its_original() {
    let mut tree = tree(&[]);
    let before = tree.clone();
    let ino = tree.find(ROOT, "/a/b/file", true).unwrap();
    tree.replace(ino, b"new".to_vec()).unwrap();
    assert_eq!(before.data(ino).unwrap().as_slice(), b"content");
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut tree = tree(&[]);
    tree.set_limit(Some(10));
    let ino = tree.find(ROOT, "/a/b/file", true).unwrap();
    assert_eq!(tree.replace(ino, vec![0; 18]), Err(FsError::NoSpace));
    assert_eq!(tree.data(ino).unwrap().as_slice(), b"content");
    tree.replace(ino, vec![0; 17]).unwrap();
    assert_eq!(tree.write_at(ino, 17, b"x"), Err(FsError::NoSpace));
    tree.replace(ino, Vec::new()).unwrap();
    tree.write_at(ino, 16, b"x").unwrap();
    assert_eq!(tree.used(), 17, "a gap counts");
}

#[test]
fn only_root_passes_every_permission() {
    use super::Access::{Execute, Read, Write};
    let mut tree = tree(&[]);
    let ino = tree.find(ROOT, "/a/b/file", true).unwrap();
    let (owner, group, other) = (
        Owner { uid: 7, gid: 8 },
        Owner { uid: 1, gid: 8 },
        Owner { uid: 1, gid: 1 },
    );
    tree.set_owner(ino, owner).unwrap();
    tree.set_mode(ino, 0o640).unwrap();
    assert!(tree.permits(ino, ROOT_USER, Write) && !tree.permits(ino, ROOT_USER, Execute));
    assert!(tree.permits(ino, owner, Write) && !tree.permits(ino, owner, Execute));
    assert!(tree.permits(ino, group, Read) && !tree.permits(ino, group, Write));
    assert!(!tree.permits(ino, other, Read));
}

#[derive(Debug, Clone)]
enum Edit {
    Make(u8, u8),
    File(u8, u8, usize),
    Move(u8, u8, u8, u8),
    Remove(u8, u8, bool),
}

fn edit() -> impl Strategy<Value = Edit> {
    let small = 0..6_u8;
    prop_oneof![
        (small.clone(), small.clone()).prop_map(|(d, n)| Edit::Make(d, n)),
        (small.clone(), small.clone(), 0..50_usize).prop_map(|(d, n, s)| Edit::File(d, n, s)),
        (small.clone(), small.clone(), small.clone(), small.clone())
            .prop_map(|(a, b, c, d)| Edit::Move(a, b, c, d)),
        (small.clone(), small, any::<bool>()).prop_map(|(d, n, r)| Edit::Remove(d, n, r)),
    ]
}

/// The directories there are, the root first.
fn directories(tree: &Tree) -> Vec<Ino> {
    let below = tree.below(ROOT, 100, 10_000).unwrap();
    let dirs = below.into_iter().map(|(_, ino)| ino);
    std::iter::once(ROOT)
        .chain(dirs.filter(|ino| tree.entries(*ino).is_ok()))
        .collect()
}

proptest! {
    #[test]
    fn whatever_is_done_the_tree_is_a_tree_and_the_count_is_right(
        edits in prop::collection::vec(edit(), 0..60)
    ) {
        let mut tree = Tree::new(Timestamp::EPOCH);
        for edit in edits {
            let dirs = directories(&tree);
            let dir = |n: u8| dirs[usize::from(n) % dirs.len()];
            // Many make no sense, and must leave the tree whole as well.
            let _ = match edit {
                Edit::Make(d, n) => {
                    let empty = Content::Directory(BTreeMap::new());
                    tree.add(dir(d), &n.to_string(), empty, 0o755, ROOT_USER).map(|_| ())
                }
                Edit::File(d, n, size) => {
                    let content = Content::File(Arc::new(vec![0; size]));
                    tree.add(dir(d), &n.to_string(), content, 0o644, ROOT_USER).map(|_| ())
                }
                Edit::Move(a, b, c, d) => {
                    tree.rename((dir(a), &b.to_string()), (dir(c), &d.to_string()))
                }
                Edit::Remove(d, n, recursive) => tree.remove(dir(d), &n.to_string(), recursive),
            };
            let below = tree.below(ROOT, 100, 10_000).unwrap();
            let mut bytes = 0;
            for (path, ino) in &below {
                prop_assert_eq!(&tree.path_of(*ino).unwrap(), &format!("/{path}"));
                bytes += tree.node(*ino).unwrap().size();
            }
            prop_assert_eq!(tree.used(), bytes);
            prop_assert_eq!(tree.nodes.len(), below.len() + 1, "something is lost");
        }
    }
}
