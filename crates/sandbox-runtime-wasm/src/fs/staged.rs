//! Files that are written whole before they get a name.

use super::FileSystem;
use super::content::Content;
use super::errno::{Errno, Result};
use super::handle::{Handle, OpenFile};
use super::inode::{Caller, Ino, Inode, Node};
use super::tree::cost_of_name;
use super::walk::{At, Found};
use super::watch::Change;

/// How a staged file gets its name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Placing {
    /// Permission bits; without them it gets those of the file it replaces, or `0o644`.
    pub mode: Option<u32>,
    /// Owner and group; without them it gets those of the file it replaces, or the caller's.
    pub owner: Option<(u32, u32)>,
    /// Whether missing directories on the way are made (`0o755`).
    pub create_parents: bool,
}

impl FileSystem {
    /// Opens a new file without a name for reading and writing. It counts against the quota, is in
    /// no snapshot, and is gone when it is closed without having been [placed](Self::place).
    ///
    /// # Errors
    /// [`Errno::NoSpace`], [`Errno::TooManyHandles`].
    pub fn open_unnamed(&mut self, by: Caller) -> Result<Handle> {
        self.check_handles()?;
        let inode = Inode::new(Node::File(Content::new()), 0o644, by);
        let ino = self.tree.add_unnamed(inode)?;
        Ok(self.add_handle(OpenFile {
            ino,
            read: true,
            write: true,
            append: false,
        }))
    }

    /// Gives an unnamed file the name `at` in one step; links are followed. Whoever opened the
    /// file that was there keeps it; other names of that file go on leading to it. The handle stays
    /// open.
    ///
    /// # Errors
    /// [`Errno::BadHandle`] for one not made by [`open_unnamed`](Self::open_unnamed) or placed
    /// already; [`Errno::IsDirectory`] when a directory is there, [`Errno::NotFound`],
    /// [`Errno::NotDirectory`], [`Errno::Loop`], [`Errno::NoSpace`].
    pub fn place<'a>(
        &mut self,
        handle: Handle,
        at: impl Into<At<'a>>,
        placing: Placing,
        by: Caller,
    ) -> Result<()> {
        let ino = self.handle(handle)?.ino;
        if !self.tree.orphans.contains(&ino) {
            return Err(Errno::BadHandle);
        }
        let at = at.into();
        self.whole(|fs| {
            if placing.create_parents {
                fs.make_parents(at, by)?;
            }
            match fs.find(at, true)? {
                Found::Missing { slash: true, .. } => Err(Errno::IsDirectory),
                Found::Missing { dir, name, .. } => {
                    fs.tree.check_alive(dir)?;
                    fs.tree.check_space(cost_of_name(&name), 0)?;
                    let parent = fs.tree.get(dir)?;
                    let passes_on = parent.mode & 0o2000 != 0;
                    let gid = if passes_on { parent.gid } else { by.gid };
                    fs.settle(ino, placing, (0o644, (by.uid, gid)), by)?;
                    fs.tree.attach(dir, &name, ino, by.now)?;
                    fs.note(Change::Create, dir, &name);
                    fs.note(Change::Write, dir, &name);
                    Ok(())
                }
                Found::Inode(old) => {
                    let was = fs.tree.get(old)?;
                    if was.is_directory() {
                        return Err(Errno::IsDirectory);
                    }
                    let was = (was.mode, (was.uid, was.gid));
                    let (dir, name) = fs.place_of(at)?;
                    fs.settle(ino, placing, was, by)?;
                    fs.tree.replace((dir, &name), old, ino, by.now)?;
                    fs.release(old)?;
                    fs.note(Change::Write, dir, &name);
                    Ok(())
                }
            }
        })
    }

    /// Sets what a staged file gets with its name; `default`: mode and owner where nobody asked.
    fn settle(
        &mut self,
        ino: Ino,
        placing: Placing,
        (mode, owner): (u32, (u32, u32)),
        by: Caller,
    ) -> Result<()> {
        let inode = self.tree.get_mut(ino)?;
        inode.mode = placing.mode.unwrap_or(mode) & 0o7777;
        (inode.uid, inode.gid) = placing.owner.unwrap_or(owner);
        inode.touch(by.now);
        self.tree.orphans.remove_mut(&ino);
        Ok(())
    }
}
