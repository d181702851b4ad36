//! Several steps that happen together or not at all.

use super::FileSystem;
use super::errno::{Errno, Result};
use super::inode::Caller;
use super::walk::{At, Found, components};

impl FileSystem {
    /// Runs `steps`; when they fail, everything is as before and no watch hears of them. They must
    /// not open or close handles.
    pub(super) fn whole<T>(&mut self, steps: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.tree.clone();
        self.watches.hold();
        let done = steps(self);
        if done.is_err() {
            self.tree = before;
        }
        self.watches.let_go(&self.tree, done.is_ok());
        done
    }

    /// Makes a directory and those on the way to it that are missing (`0o755`). `Ok(false)`: there
    /// was a directory, which stays as it is.
    ///
    /// # Errors
    /// As [`make_dir`](Self::make_dir); [`Errno::NotDirectory`] for anything else in the way, a
    /// link that leads nowhere included. Nothing was made then.
    pub fn make_dirs<'a>(&mut self, at: impl Into<At<'a>>, mode: u32, by: Caller) -> Result<bool> {
        let at = at.into();
        self.whole(|fs| {
            fs.make_parents(at, by)?;
            fs.make_or_find_dir(at, mode, by)
        })
    }

    /// Makes the directory `at`, or finds it there.
    ///
    /// # Errors
    /// As [`make_dirs`](Self::make_dirs), and [`Errno::NotFound`] when its parent is missing.
    pub fn make_or_find_dir<'a>(
        &mut self,
        at: impl Into<At<'a>>,
        mode: u32,
        by: Caller,
    ) -> Result<bool> {
        let at = at.into();
        match self.make_dir(at, mode, by) {
            Ok(_) => Ok(true),
            Err(Errno::Exists) => match self.find(at, true) {
                Ok(Found::Inode(there)) if self.tree.get(there)?.is_directory() => Ok(false),
                Ok(_) | Err(Errno::NotFound | Errno::Loop) => Err(Errno::NotDirectory),
                Err(errno) => Err(errno),
            },
            Err(errno) => Err(errno),
        }
    }

    /// Makes the directories on the way to `at` that are missing.
    pub(super) fn make_parents(&mut self, at: At<'_>, by: Caller) -> Result<()> {
        let trimmed = at.path.trim_end_matches('/');
        let Some(last) = components(trimmed).next_back() else {
            return Ok(());
        };
        let above = &trimmed[..trimmed.len() - last.len()];
        // What is there needs no making: that is the usual case, and one walk.
        if above.is_empty() || matches!(self.find(at.with(above), true), Ok(Found::Inode(_))) {
            return Ok(());
        }
        for (end, _) in above.match_indices('/').filter(|(end, _)| *end > 0) {
            self.make_or_find_dir(at.with(&above[..end]), 0o755, by)?;
        }
        Ok(())
    }
}
