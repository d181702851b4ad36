//! Moving.

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::{Caller, Ino};
use super::tree::cost_of_name;
use super::walk::{At, Last};
use super::watch::Change;

impl FileSystem {
    /// Moves `from` to `to` in one step. A file replaces a file, a directory an empty directory;
    /// when both are the same file, nothing happens.
    ///
    /// # Errors
    /// Those of `rename(2)`: [`Errno::NotFound`], [`Errno::IsDirectory`],
    /// [`Errno::NotDirectory`], [`Errno::NotEmpty`], [`Errno::Invalid`] into itself,
    /// [`Errno::Busy`] for the root and paths that end in `.` or `..`, and [`Errno::NoSpace`] when
    /// the new name is longer than there is room.
    pub fn rename<'a, 'b>(
        &mut self,
        from: impl Into<At<'a>>,
        to: impl Into<At<'b>>,
        by: Caller,
    ) -> Result<()> {
        let old = self.parent_of(from.into())?;
        let new = self.parent_of(to.into())?;
        let (Last::Name(old_name), Last::Name(new_name)) = (old.last, new.last) else {
            return Err(Errno::Busy);
        };
        let found = self.tree.directory(old.dir)?.get(&old_name);
        let ino = found.ok_or(Errno::NotFound)?;
        let replaced = self.tree.directory(new.dir)?.get(&new_name);
        let is_directory = self.tree.get(ino)?.is_directory();
        if !is_directory && (old.slash || new.slash) {
            return Err(Errno::NotDirectory);
        }
        if is_directory && self.tree.is_within(new.dir, ino) {
            return Err(Errno::Invalid);
        }
        self.tree.check_alive(new.dir)?;
        match replaced {
            Some(target) if target == ino => return Ok(()),
            Some(target) => self.check_replacing(target, is_directory, old.dir)?,
            None => {
                let more = cost_of_name(&new_name).saturating_sub(cost_of_name(&old_name));
                self.tree.check_space(more, 0)?;
            }
        }
        self.note(Change::Rename, old.dir, &old_name);
        self.tree.detach(old.dir, &old_name, ino, by.now)?;
        match replaced {
            Some(target) => {
                self.tree
                    .replace((new.dir, &new_name), target, ino, by.now)?;
                self.release(target)?;
            }
            None => self.tree.attach(new.dir, &new_name, ino, by.now)?,
        }
        self.note(Change::Create, new.dir, &new_name);
        Ok(())
    }

    fn check_replacing(&self, target: Ino, is_directory: bool, old_dir: Ino) -> Result<()> {
        if self.tree.is_within(old_dir, target) {
            return Err(Errno::NotEmpty);
        }
        match (is_directory, self.tree.get(target)?.is_directory()) {
            (true, false) => Err(Errno::NotDirectory),
            (false, true) => Err(Errno::IsDirectory),
            (true, true) if self.tree.directory(target)?.len() > 0 => Err(Errno::NotEmpty),
            (true, true) | (false, false) => Ok(()),
        }
    }
}
