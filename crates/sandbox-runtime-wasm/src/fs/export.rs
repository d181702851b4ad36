//! A tree as a tar archive.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use sandbox_core::{Error, ErrorKind, SandboxPath};
use tar::{EntryType, Header};

use super::FileSystem;
use super::content::Content;
use super::errno::Errno;
use super::inode::{Ino, Inode, Node};
use super::tree::{Snapshot, Tree};

const OPERATION: &str = "fs.export";

impl Snapshot {
    /// Writes the directory `path` and everything below it as a tar archive, names relative to it.
    /// The same tree makes the same bytes. Links are written as links, further names of a file as
    /// hard links, holes as zeros.
    ///
    /// # Errors
    /// `NotFound` or `Conflict` with field `path` when it is not a directory; `LimitExceeded` with
    /// field `limit`, before anything is written, when the files hold more than `limit` bytes,
    /// holes included; `Unavailable` with field `archive` when `out` fails.
    pub fn export(&self, path: &SandboxPath, out: impl Write, limit: u64) -> Result<(), Error> {
        let tree = self.tree();
        let wrong = |errno: Errno| errno.into_error(OPERATION, "path");
        let root = FileSystem::from_snapshot(self, tree.limits)
            .and_then(|fs| fs.lookup(path.into(), true))
            .map_err(wrong)?;
        tree.directory(root).map_err(wrong)?;
        let entries = list(tree, root).map_err(wrong)?;
        check_size(tree, &entries, limit)?;
        write(tree, &entries, out).map_err(|e| {
            Error::new(ErrorKind::Unavailable, OPERATION, "cannot be written")
                .with_field("archive")
                .with_source(e)
        })
    }
}

struct Entry {
    path: String,
    ino: Ino,
    /// The path it was written under before, for a further name of a file.
    first: Option<String>,
}

/// Everything below `root`, a directory before what is in it. It keeps a list and not a stack of
/// calls: trees can be deep.
fn list(tree: &Tree, root: Ino) -> Result<Vec<Entry>, Errno> {
    let mut entries = Vec::new();
    let mut seen: HashMap<Ino, String> = HashMap::new();
    let mut ahead = vec![(".".to_owned(), root)];
    while let Some((path, ino)) = ahead.pop() {
        let inode = tree.get(ino)?;
        if let Node::Directory(directory) = &inode.node {
            let children: Vec<_> = directory.iter().collect();
            for (name, child) in children.into_iter().rev() {
                let below = if ino == root {
                    name.to_string()
                } else {
                    format!("{path}/{name}")
                };
                // Deeper than any path reaches, only a program that climbed down step by step
                // can have made it.
                if below.len() > sandbox_core::MAX_PATH_BYTES {
                    return Err(Errno::NameTooLong);
                }
                ahead.push((below, child));
            }
        }
        let first = seen.get(&ino).cloned();
        if first.is_none() && inode.places.size() > 1 {
            seen.insert(ino, path.clone());
        }
        entries.push(Entry { path, ino, first });
    }
    Ok(entries)
}

fn check_size(tree: &Tree, entries: &[Entry], limit: u64) -> Result<(), Error> {
    let total = entries
        .iter()
        .filter(|entry| entry.first.is_none())
        .filter_map(|entry| match &tree.get(entry.ino).ok()?.node {
            Node::File(content) => Some(content.size()),
            Node::Directory(_) | Node::Symlink(_) => None,
        })
        .fold(0, u64::saturating_add);
    if total <= limit {
        return Ok(());
    }
    let message = format!("the files hold {total} bytes; the limit is {limit}");
    Err(Error::new(ErrorKind::LimitExceeded, OPERATION, message).with_field("limit"))
}

fn write(tree: &Tree, entries: &[Entry], out: impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(out);
    for Entry { path, ino, first } in entries {
        let inode = tree.get(*ino).map_err(io::Error::other)?;
        let mut header = header(inode);
        if let Some(first) = first {
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, path, first)?;
            continue;
        }
        match &inode.node {
            Node::File(content) => {
                let content = ContentReader { content, offset: 0 };
                builder.append_data(&mut header, path, content)?;
            }
            Node::Directory(_) => builder.append_data(&mut header, path, io::empty())?,
            // Not `append_link`, which would tidy the text: it is the guest's own.
            Node::Symlink(text) => {
                if header.set_link_name_literal(&**text).is_err() {
                    builder.append_pax_extensions([("linkpath", text.as_bytes())])?;
                }
                builder.append_data(&mut header, path, io::empty())?;
            }
        }
    }
    builder.into_inner()?.flush()
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
