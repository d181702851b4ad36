//! Writing here, below one directory and nowhere else.

use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use sandbox_core::{Error, ErrorKind, Result};

/// A directory here. What it opens lies below it, whatever the names and whatever links stand
/// there.
#[derive(Debug, Clone)]
pub(super) struct LocalDir {
    dir: Arc<Dir>,
    /// For messages.
    shown: String,
}

impl LocalDir {
    /// Opens the directory `path`, which the user named.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let opened = Dir::open_ambient_dir(path, ambient_authority());
        let dir = opened.map_err(|e| refused(&shown, "cannot be opened", e))?;
        Ok(Self {
            dir: Arc::new(dir),
            shown,
        })
    }

    /// Where `name` is, for messages.
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.shown.trim_end_matches('/'))
    }

    /// The directory `name` in this one, made when it is missing.
    pub(super) fn enter(&self, name: &str) -> Result<Self> {
        check_name(name)?;
        let shown = self.at(name);
        match self.dir.create_dir(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(refused(&shown, "cannot be made", error));
            }
            Ok(()) | Err(_) => {}
        }
        let opened = self.dir.open_dir(name);
        let dir = opened.map_err(|e| refused(&shown, "cannot be opened", e))?;
        Ok(Self {
            dir: Arc::new(dir),
            shown,
        })
    }

    /// A file that becomes `name` in this directory once it is whole.
    pub(super) fn create(&self, name: &str, mode: u32) -> Result<NewFile> {
        check_name(name)?;
        let shown = self.at(name);
        let failed = |e| refused(&shown, "cannot be written", e);
        let random = random().map_err(failed)?;
        let temporary = format!(".sandbox-{random:016x}.part");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode & 0o777);
        let file = self.dir.open_with(&temporary, &options).map_err(failed)?;
        Ok(NewFile {
            file: Some(file),
            dir: Arc::clone(&self.dir),
            temporary,
            name: name.to_owned(),
            shown,
        })
    }
}

/// A file on its way. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct NewFile {
    file: Option<File>,
    dir: Arc<Dir>,
    temporary: String,
    name: String,
    shown: String,
}

impl NewFile {
    /// The file to write into; the first call has it.
    pub(super) fn writer(&mut self) -> Option<tokio::fs::File> {
        let file = self.file.take()?;
        Some(tokio::fs::File::from_std(file.into_std()))
    }

    /// Puts the file where it belongs, in place of a file that is there.
    pub(super) fn finish(self) -> Result<()> {
        let renamed = self.dir.rename(&self.temporary, &self.dir, &self.name);
        renamed.map_err(|e| refused(&self.shown, "cannot be written", e))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Not there any more once it was finished.
        let _ = self.dir.remove_file(&self.temporary);
    }
}

/// Refuses what is not one name in a directory.
fn check_name(name: &str) -> Result<()> {
    let one = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    if one {
        return Ok(());
    }
    let message = format!("{name:?} is not the name of a file; nothing is written");
    Err(Error::new(ErrorKind::Internal, "cli.cp", message).with_field("path"))
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn refused(shown: &str, what: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::LimitExceeded,
        _ => ErrorKind::Conflict,
    };
    let message = format!("{shown} {what}");
    Error::new(kind, "cli.cp", message)
        .with_field("path")
        .with_source(error)
}
