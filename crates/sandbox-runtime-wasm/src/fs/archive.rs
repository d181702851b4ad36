//! Files from a tar archive, whole or not at all.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sandbox_core::Error;
use tar::EntryType;

use super::FileSystem;
use super::archive_names::{OPERATION, at, broken, link_text, refused, split, utf8};
use super::content::{CHUNK_BYTES, Content};
use super::errno::Errno;
use super::inode::{Caller, Directory, FileTime, Ino, Inode, Node};
use super::tree::{MAX_LINKS, cost_of_name};
use super::walk::At;
use super::watch::Change;

/// The most bytes of an archive from one entry's content to the next one's: headers with long
/// names, and padding.
const MAX_HEADER_BYTES: u64 = 1 << 20;

impl FileSystem {
    /// Puts the files of a tar archive below the directory `at`. What is there is replaced, but a
    /// directory only by a directory; directories on the way that the archive does not name belong
    /// to `by`, with mode `0o755`. Owners are taken by number.
    ///
    /// # Errors
    /// `InvalidSpec` with field `archive` for one that is broken or cut off, and for an entry whose
    /// name is absolute, climbs or is not UTF-8, that would be written through a link, that links
    /// out of `at`, or that is neither file, directory nor link. `Conflict` for one that stands in
    /// the way, `LimitExceeded` past the quota. `NotFound` or `Conflict` with field `path` for the
    /// directory itself. Nothing has changed then.
    pub fn import<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        archive: impl Read,
        by: Caller,
    ) -> Result<(), Error> {
        let root = self
            .lookup(at.into(), true)
            .and_then(|ino| self.tree.directory(ino).map(|_| ino))
            .map_err(|errno| errno.into_error(OPERATION, "path"))?;
        let before = self.tree.clone();
        self.watches.hold();
        let done = Import { fs: self, root, by }.run(archive);
        if done.is_err() {
            self.tree = before;
        }
        self.watches.let_go(&self.tree, done.is_ok());
        done
    }
}

/// A reader that ends with an error when more is read than was allowed: what is kept in memory
/// while a header is read is bounded.
struct Rationed<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 && !into.is_empty() {
            return Err(io::Error::other("an entry's headers are over 1 MiB"));
        }
        let most = into
            .len()
            .min(usize::try_from(self.left.get()).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut into[..most])?;
        self.left.set(self.left.get() - read as u64);
        Ok(read)
    }
}

struct Import<'f> {
    fs: &'f mut FileSystem,
    root: Ino,
    by: Caller,
}

impl Import<'_> {
    fn run(&mut self, archive: impl Read) -> Result<(), Error> {
        let ration = Rc::new(Cell::new(MAX_HEADER_BYTES));
        let mut archive = tar::Archive::new(Rationed {
            inner: archive,
            left: ration.clone(),
        });
        let mut entries = archive.entries().map_err(broken)?;
        loop {
            ration.set(MAX_HEADER_BYTES);
            let Some(entry) = entries.next() else {
                return Ok(());
            };
            self.entry(entry.map_err(broken)?, &ration)?;
        }
    }

    fn entry<R: Read>(
        &mut self,
        mut entry: tar::Entry<'_, R>,
        ration: &Cell<u64>,
    ) -> Result<(), Error> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = utf8(&entry.path_bytes())?;
        let names = split(&path)?;
        let Some((name, above)) = names.split_last() else {
            return self.root_entry(&entry, &path);
        };
        let dir = self.parents(above, &path)?;
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                self.clear(dir, name, &path)?;
                let node = Node::File(Content::new());
                let ino = self.add(dir, name, node, &entry, &path)?;
                ration.set(entry.size().saturating_add(MAX_HEADER_BYTES));
                self.fill(ino, &mut entry, &path)
            }
            EntryType::Directory => self.directory(dir, name, &entry, &path),
            EntryType::Symlink => {
                let text = link_text(&entry, &path)?;
                self.check_symlink(dir, &text, &path)?;
                self.clear(dir, name, &path)?;
                let node = Node::Symlink(text.as_str().into());
                self.add(dir, name, node, &entry, &path).map(|_| ())
            }
            EntryType::Link => {
                let target = link_text(&entry, &path)?;
                self.hard_link(dir, name, &target, &path)
            }
            _ => Err(refused(&path, "is neither file, directory nor link")),
        }
    }

    fn root_entry<R: Read>(&mut self, entry: &tar::Entry<'_, R>, path: &str) -> Result<(), Error> {
        if entry.header().entry_type() != EntryType::Directory {
            return Err(refused(path, "has no name and is not a directory"));
        }
        self.dress(self.root, entry, path)
    }

    /// The directory that an entry goes into, made where it is missing.
    fn parents(&mut self, names: &[&str], path: &str) -> Result<Ino, Error> {
        let mut dir = self.root;
        for name in names {
            let found = self.fs.tree.directory(dir).map(|d| d.get(name));
            dir = match found.map_err(at(path))? {
                Some(ino) => match self.fs.tree.get(ino).map_err(at(path))?.node {
                    Node::Directory(_) => ino,
                    Node::Symlink(_) => return Err(refused(path, "leads through a link")),
                    Node::File(_) => return Err(at(path)(Errno::NotDirectory)),
                },
                None => {
                    let inode = Inode::new(Node::Directory(Directory::new()), 0o755, self.by);
                    self.insert(dir, name, inode, path)?
                }
            };
        }
        Ok(dir)
    }

    fn insert(&mut self, dir: Ino, name: &str, inode: Inode, path: &str) -> Result<Ino, Error> {
        let ino = self.fs.tree.add(dir, name, inode).map_err(at(path))?;
        self.fs.note(Change::Create, dir, name);
        Ok(ino)
    }

    fn add<R: Read>(
        &mut self,
        dir: Ino,
        name: &str,
        node: Node,
        entry: &tar::Entry<'_, R>,
        path: &str,
    ) -> Result<Ino, Error> {
        let ino = self.insert(dir, name, Inode::new(node, 0, self.by), path)?;
        self.dress(ino, entry, path)?;
        Ok(ino)
    }

    /// Gives an inode the attributes of its entry.
    fn dress<R: Read>(
        &mut self,
        ino: Ino,
        entry: &tar::Entry<'_, R>,
        path: &str,
    ) -> Result<(), Error> {
        let header = entry.header();
        let mode = header.mode().map_err(broken)? & 0o7777;
        let number = |number: io::Result<u64>| {
            u32::try_from(number.map_err(broken)?)
                .map_err(|_| refused(path, "has an owner past 32 bits"))
        };
        let (uid, gid) = (number(header.uid())?, number(header.gid())?);
        let seconds = header.mtime().map_err(broken)?;
        let time = FileTime::from_nanos(seconds.saturating_mul(1_000_000_000));
        let inode = self.fs.tree.get_mut(ino).map_err(at(path))?;
        (inode.mode, inode.uid, inode.gid) = (mode, uid, gid);
        (inode.accessed, inode.modified, inode.changed) = (time, time, self.by.now);
        Ok(())
    }

    fn directory<R: Read>(
        &mut self,
        dir: Ino,
        name: &str,
        entry: &tar::Entry<'_, R>,
        path: &str,
    ) -> Result<(), Error> {
        let Some(ino) = self.fs.tree.directory(dir).map_err(at(path))?.get(name) else {
            let node = Node::Directory(Directory::new());
            return self.add(dir, name, node, entry, path).map(|_| ());
        };
        self.fs.tree.directory(ino).map_err(at(path))?;
        self.dress(ino, entry, path)?;
        self.fs.note(Change::Chmod, dir, name);
        Ok(())
    }

    /// Makes way for an entry that is no directory.
    fn clear(&mut self, dir: Ino, name: &str, path: &str) -> Result<(), Error> {
        let Some(ino) = self.fs.tree.directory(dir).map_err(at(path))?.get(name) else {
            return Ok(());
        };
        if self.fs.tree.get(ino).map_err(at(path))?.is_directory() {
            return Err(at(path)(Errno::IsDirectory));
        }
        self.fs.take_away(dir, name, ino, self.by).map_err(at(path))
    }

    fn fill(&mut self, ino: Ino, entry: &mut impl Read, path: &str) -> Result<(), Error> {
        let limit = self.fs.tree.limits.file_bytes;
        let mut buffer = vec![0; CHUNK_BYTES as usize];
        let mut offset = 0;
        loop {
            let read = entry.read(&mut buffer).map_err(broken)?;
            if read == 0 {
                return Ok(());
            }
            let bytes = &buffer[..read];
            if offset + read as u64 > limit {
                return Err(at(path)(Errno::FileTooBig));
            }
            let Node::File(content) = &self.fs.tree.get(ino).map_err(at(path))?.node else {
                return Err(at(path)(Errno::Invalid));
            };
            let cost = content.cost_of_write(offset, read);
            self.fs.tree.check_space(cost, 0).map_err(at(path))?;
            let modified = self.fs.tree.get(ino).map_err(at(path))?.modified;
            self.fs
                .tree
                .change_content(ino, modified, |content| content.write(offset, bytes))
                .map_err(at(path))?;
            offset += read as u64;
        }
    }

    /// Refuses a link whose text leads out of the directory that the archive goes into. Nothing
    /// leads out of the file system's root, where `..` stays.
    fn check_symlink(&self, dir: Ino, text: &str, path: &str) -> Result<(), Error> {
        super::walk::check_path(text).map_err(at(path))?;
        if self.root == Ino::ROOT {
            return Ok(());
        }
        let mut depth = 0_usize;
        let mut above = dir;
        while above != self.root {
            depth += 1;
            above = self.fs.tree.parent(above).map_err(at(path))?;
        }
        let outside = || refused(path, "is a link that leads out");
        if text.starts_with('/') {
            return Err(outside());
        }
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => depth = depth.checked_sub(1).ok_or_else(outside)?,
                _ => depth += 1,
            }
        }
        Ok(())
    }

    fn hard_link(&mut self, dir: Ino, name: &str, target: &str, path: &str) -> Result<(), Error> {
        let mut ino = self.root;
        for part in split(target)? {
            let directory = self.fs.tree.directory(ino).map_err(at(path))?;
            ino = directory
                .get(part)
                .ok_or_else(|| at(path)(Errno::NotFound))?;
        }
        let inode = self.fs.tree.get(ino).map_err(at(path))?;
        if inode.is_directory() {
            return Err(at(path)(Errno::NotPermitted));
        }
        if inode.places.contains(&(dir, name.into())) {
            return Ok(());
        }
        if inode.places.size() >= MAX_LINKS {
            return Err(at(path)(Errno::TooManyLinks));
        }
        self.clear(dir, name, path)?;
        let tree = &mut self.fs.tree;
        tree.check_space(cost_of_name(name), 0)
            .and_then(|()| tree.attach(dir, name, ino, self.by.now))
            .map_err(at(path))?;
        self.fs.note(Change::Create, dir, name);
        Ok(())
    }
}
