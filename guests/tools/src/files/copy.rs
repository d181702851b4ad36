//! Copies of files and trees.

use std::fs::{self, File, OpenOptions};
use std::io;

use sandbox_applet::{Context, Failure, cwd, entries, join};
use sandbox_guest::files::{self, Stat, kind};

use super::names::symlink;
use super::touch::set_times;

/// What is kept, and what may be replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copier {
    pub recursive: bool,
    /// Keep modes, owners, times.
    pub mode: bool,
    pub owner: bool,
    pub times: bool,
    /// Follow links in trees; links named on the command line.
    pub follow_all: bool,
    pub follow_operands: bool,
    /// Remove a destination that cannot be opened; before anything.
    pub force: bool,
    pub remove_first: bool,
    pub update: bool,
    pub no_clobber: bool,
    /// Make links instead of copies.
    pub hard: bool,
    pub symbolic: bool,
    pub verbose: bool,
    pub attributes_only: bool,
}

impl Copier {
    /// Copies `source` to `target`; `report` gets what failed within a tree, and what was done.
    pub fn copy(
        &self,
        source: &str,
        target: &str,
        top: bool,
        report: &mut dyn FnMut(Result<String, Failure>),
    ) {
        if let Err(failure) = self.try_copy(source, target, top, report) {
            report(Err(failure));
        }
    }

    fn try_copy(
        &self,
        source: &str,
        target: &str,
        top: bool,
        report: &mut dyn FnMut(Result<String, Failure>),
    ) -> Result<(), Failure> {
        let here = cwd();
        let follow = self.follow_all || top && self.follow_operands;
        let from =
            files::stat(&here, source, follow).context(format_args!("cannot stat '{source}'"))?;
        let to = files::stat(&here, target, true).ok();
        if let Some(to) = &to {
            if (to.dev, to.ino) == (from.dev, from.ino) && !from.is_dir() && !self.hard {
                return Err(Failure::new(format!(
                    "'{source}' and '{target}' are the same file"
                )));
            }
            if self.no_clobber && !from.is_dir() {
                return Ok(());
            }
            if self.update && !from.is_dir() && to.mtime_ns >= from.mtime_ns {
                return Ok(());
            }
            if to.is_dir() && !from.is_dir() {
                return Err(Failure::new(format!(
                    "cannot overwrite directory '{target}' with non-directory"
                )));
            }
            if !to.is_dir() && from.is_dir() {
                return Err(Failure::new(format!(
                    "cannot overwrite non-directory '{target}' with directory '{source}'"
                )));
            }
        }
        if from.is_dir() {
            return self.directory(source, target, &from, to.is_some(), report);
        }
        if self.remove_first && files::stat(&here, target, false).is_ok() {
            fs::remove_file(target).context(format_args!("cannot remove '{target}'"))?;
        }
        if self.hard {
            link(source, target, self.force)?;
        } else if self.symbolic {
            symlink(source, target)
                .context(format_args!("cannot create symbolic link '{target}'"))?;
        } else if from.kind() == kind::SYMLINK {
            copy_link(source, target)?;
            self.keep(&from, target, false)?;
        } else {
            self.file(source, target, &from, to.is_some())?;
        }
        if self.verbose {
            report(Ok(format!("'{source}' -> '{target}'")));
        }
        Ok(())
    }

    fn file(&self, source: &str, target: &str, from: &Stat, exists: bool) -> Result<(), Failure> {
        if !self.attributes_only {
            let mut input =
                File::open(source).context(format_args!("cannot open '{source}' for reading"))?;
            let open = || {
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(target)
            };
            let mut output = match open() {
                Err(error)
                    if self.force && exists && error.kind() == io::ErrorKind::PermissionDenied =>
                {
                    fs::remove_file(target).and_then(|()| open())
                }
                opened => opened,
            }
            .context(format_args!("cannot create regular file '{target}'"))?;
            io::copy(&mut input, &mut output)
                .context(format_args!("error copying '{source}' to '{target}'"))?;
        }
        if self.mode || !exists {
            let mask = if self.mode {
                0
            } else {
                files::umask().unwrap_or(0o022) | 0o7000
            };
            files::chmod(&cwd(), target, true, from.mode & 0o7777 & !mask)
                .context(format_args!("setting permissions for '{target}'"))?;
        }
        self.keep(from, target, true)
    }

    /// Gives `target` the owner and times of `from`, as far as they are kept.
    fn keep(&self, from: &Stat, target: &str, follow: bool) -> Result<(), Failure> {
        if self.owner {
            // Who is not root may not: the copy is then the caller's, as with any `cp`.
            let _ = files::chown(&cwd(), target, follow, from.uid, from.gid);
        }
        if self.times && follow {
            set_times(target, Some(from.mtime_ns))
                .context(format_args!("preserving times for '{target}'"))?;
        }
        Ok(())
    }

    fn directory(
        &self,
        source: &str,
        target: &str,
        from: &Stat,
        exists: bool,
        report: &mut dyn FnMut(Result<String, Failure>),
    ) -> Result<(), Failure> {
        if !self.recursive {
            return Err(Failure::new(format!(
                "-r not specified; omitting directory '{source}'"
            )));
        }
        if within(source, target) {
            return Err(Failure::new(format!(
                "cannot copy a directory, '{source}', into itself, '{target}'"
            )));
        }
        let found = entries(source).context(format_args!("cannot access '{source}'"))?;
        if !exists {
            fs::create_dir(target).context(format_args!("cannot create directory '{target}'"))?;
            if self.verbose {
                report(Ok(format!("'{source}' -> '{target}'")));
            }
        }
        for entry in found {
            self.copy(&entry.path, &join(target, &entry.name), false, report);
        }
        if self.mode || !exists {
            let mask = if self.mode {
                0
            } else {
                files::umask().unwrap_or(0o022)
            };
            files::chmod(&cwd(), target, true, from.mode & 0o7777 & !mask)
                .context(format_args!("setting permissions for '{target}'"))?;
        }
        self.keep(from, target, true)
    }
}

/// Whether `inner`'s directory is `outer` or lies in it.
pub fn within(outer: &str, inner: &str) -> bool {
    let Ok(outer) = fs::canonicalize(outer) else {
        return false;
    };
    let parent = super::target::parent(inner);
    match fs::canonicalize(inner).or_else(|_| fs::canonicalize(parent)) {
        Ok(inner) => inner.starts_with(&outer),
        Err(_) => false,
    }
}

fn copy_link(source: &str, target: &str) -> Result<(), Failure> {
    let points_to =
        fs::read_link(source).context(format_args!("cannot read symbolic link '{source}'"))?;
    if files::stat(&cwd(), target, false).is_ok_and(|stat| !stat.is_dir()) {
        fs::remove_file(target).context(format_args!("cannot remove '{target}'"))?;
    }
    symlink(points_to.to_string_lossy(), target)
        .context(format_args!("cannot create symbolic link '{target}'"))
}

/// A further name; an old one in its place goes first when `force`.
pub fn link(source: &str, target: &str, force: bool) -> Result<(), Failure> {
    if force && files::stat(&cwd(), target, false).is_ok() {
        fs::remove_file(target).context(format_args!("cannot remove '{target}'"))?;
    }
    fs::hard_link(source, target).context(format_args!(
        "cannot create hard link '{target}' to '{source}'"
    ))
}
