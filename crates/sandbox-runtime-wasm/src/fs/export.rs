//! A tree as a tar archive.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, MAX_PATH_BYTES, SandboxPath};
use tar::{Builder, EntryType, Header};

use super::FileSystem;
use super::content::Content;
use super::errno::{Errno, Result};
use super::inode::{Ino, Inode, Node, Place};
use super::tree::{Snapshot, Tree};

const OPERATION: &str = "fs.export";

impl Snapshot {
    /// Writes the directory `path` and everything below it as a tar archive, names relative to it.
    /// The same tree makes the same bytes. Links are written as links, further names of a file as
    /// hard links, holes as zeros, times in whole seconds.
    ///
    /// # Errors
    /// `NotFound` or `Conflict` with field `path` when it is not a directory, `InvalidSpec` when
    /// something lies deeper below it than a path reaches; `LimitExceeded` with field `limit` when
    /// the files hold more than `limit` bytes, holes included. Nothing is written then.
    /// `Unavailable` with field `archive` when `out` fails.
    pub fn export(&self, path: &SandboxPath, out: impl Write, limit: u64) -> Result<(), Error> {
        let tree = self.tree();
        let wrong = |errno: Errno| errno.into_error(OPERATION, "path");
        let root = FileSystem::from_snapshot(self, tree.limits)
            .and_then(|fs| fs.lookup(path.into(), true))
            .map_err(wrong)?;
        let total = size(tree, root).map_err(wrong)?;
        if total > limit {
            let message = format!("the files hold {total} bytes; the limit is {limit}");
            return Err(
                Error::new(ErrorKind::LimitExceeded, OPERATION, message).with_field("limit")
            );
        }
        write(tree, root, out).map_err(|e| {
            Error::new(ErrorKind::Unavailable, OPERATION, "cannot be written")
                .with_field("archive")
                .with_source(e)
        })
    }
}

/// The bytes of all files below `root`, each counted once whatever names it has.
fn size(tree: &Tree, root: Ino) -> Result<u64> {
    let mut total = 0_u64;
    let mut seen = HashSet::new();
    let mut walk = Walk::new(tree, root)?;
    while let Some((_, ino)) = walk.step()? {
        let inode = tree.get(ino)?;
        if let Node::File(content) = &inode.node
            && (inode.places.size() == 1 || seen.insert(ino))
        {
            total = total.saturating_add(content.size());
        }
    }
    Ok(total)
}

/// A way through a tree by name, a directory before what is in it. It remembers the way down and
/// nothing else, so that what it takes is bounded whatever is in the tree.
pub(super) struct Walk<'t> {
    tree: &'t Tree,
    path: String,
    /// For each directory on the way down: itself, the length of its path, what is left in it.
    stack: Vec<(Ino, usize, Children<'t>)>,
}

type Children<'t> = Box<dyn Iterator<Item = (&'t Arc<str>, Ino)> + 't>;

impl<'t> Walk<'t> {
    pub(super) fn new(tree: &'t Tree, root: Ino) -> Result<Self> {
        Ok(Self {
            tree,
            path: String::new(),
            stack: vec![(root, 0, Box::new(tree.directory(root)?.iter()))],
        })
    }

    /// The path of the place that [`step`](Self::step) was at last.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The next place and the inode there; its path is in `path`.
    pub(super) fn step(&mut self) -> Result<Option<(Place, Ino)>> {
        while let Some((dir, length, children)) = self.stack.last_mut() {
            let Some((name, ino)) = children.next() else {
                self.stack.pop();
                continue;
            };
            self.path.truncate(*length);
            if *length > 0 {
                self.path.push('/');
            }
            self.path.push_str(name);
            if self.path.len() > MAX_PATH_BYTES {
                return Err(Errno::NameTooLong);
            }
            let place = (*dir, name.clone());
            if let Node::Directory(directory) = &self.tree.get(ino)?.node {
                let children = Box::new(directory.iter());
                self.stack.push((ino, self.path.len(), children));
            }
            return Ok(Some((place, ino)));
        }
        Ok(None)
    }
}

/// The path of a place below `root`.
pub(super) fn path_of(tree: &Tree, root: Ino, (mut dir, name): Place) -> Result<String> {
    let mut names = vec![name];
    while dir != root {
        let (parent, name) = tree.get(dir)?.places.first().ok_or(Errno::NotFound)?;
        names.push(name.clone());
        dir = *parent;
    }
    names.reverse();
    Ok(names.join("/"))
}

fn write(tree: &Tree, root: Ino, out: impl Write) -> io::Result<()> {
    let mut builder = Builder::new(out);
    append(&mut builder, ".", tree.get(root).map_err(io::Error::other)?)?;
    // Where a file with more names was written under the first of them.
    let mut first: HashMap<Ino, Place> = HashMap::new();
    let mut walk = Walk::new(tree, root).map_err(io::Error::other)?;
    while let Some((place, ino)) = walk.step().map_err(io::Error::other)? {
        let inode = tree.get(ino).map_err(io::Error::other)?;
        if let Some(place) = first.get(&ino) {
            let target = path_of(tree, root, place.clone()).map_err(io::Error::other)?;
            let mut header = header(inode);
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, &walk.path, target)?;
            continue;
        }
        if inode.places.size() > 1 {
            first.insert(ino, place);
        }
        append(&mut builder, &walk.path, inode)?;
    }
    builder.into_inner()?.flush()
}

fn append(builder: &mut Builder<impl Write>, path: &str, inode: &Inode) -> io::Result<()> {
    let mut header = header(inode);
    match &inode.node {
        Node::File(content) => {
            let content = ContentReader { content, offset: 0 };
            builder.append_data(&mut header, path, content)
        }
        Node::Directory(_) => builder.append_data(&mut header, path, io::empty()),
        // Not `append_link`, which would tidy the text: it is the guest's own.
        Node::Symlink(text) => {
            if header.set_link_name_literal(&**text).is_err() {
                builder.append_pax_extensions([("linkpath", text.as_bytes())])?;
            }
            builder.append_data(&mut header, path, io::empty())
        }
    }
}
fn header(inode: &Inode) -> Header {
    let mut header = Header::new_gnu();
    let (kind, size) = match &inode.node {
        Node::File(content) => (EntryType::Regular, content.size()),
        Node::Directory(_) => (EntryType::Directory, 0),
        Node::Symlink(_) => (EntryType::Symlink, 0),
    };
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(inode.mode);
    header.set_uid(inode.uid.into());
    header.set_gid(inode.gid.into());
    header.set_mtime(inode.modified.as_nanos() / 1_000_000_000);
    header
}

struct ContentReader<'c> {
    content: &'c Content,
    offset: u64,
}

impl Read for ContentReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(self.offset, into);
        self.offset += read as u64;
        Ok(read)
    }
}
