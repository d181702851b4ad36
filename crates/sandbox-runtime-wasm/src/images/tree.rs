//! Putting a tree together.

use sandbox_core::Result;

use crate::fs::{Caller, FileSystem, FileTime, Limits, OpenOptions, Snapshot};
use crate::wasi::devices;

/// When every file of an image was made, 2024-01-01: the same image is the same bytes everywhere.
const MADE: FileTime = FileTime::from_nanos(1_704_067_200_000_000_000);
/// Everything in an image belongs to root, but for a home.
const ROOT: Caller = owner(0);

const fn owner(id: u32) -> Caller {
    Caller {
        uid: id,
        gid: id,
        now: MADE,
    }
}

/// A tree that grows. Directories that are missing on the way are made.
#[derive(Debug)]
pub(super) struct Tree(FileSystem);

impl Tree {
    /// One with a root alone.
    pub(super) fn new() -> Self {
        Self(FileSystem::new(unlimited(), ROOT))
    }

    /// One that begins as `snapshot`.
    ///
    /// # Errors
    /// `Internal`: none is as large as that.
    pub(super) fn over(snapshot: &Snapshot) -> Result<Self> {
        let files = FileSystem::from_snapshot(snapshot, unlimited());
        Ok(Self(files.map_err(|e| failed(e, "/"))?))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    /// Puts the files of the devices in, so that no sandbox has to make them.
    ///
    /// # Errors
    /// `Internal`: there is room.
    pub(super) fn devices(&mut self) -> Result<()> {
        devices::install(&mut self.0, ROOT).map_err(|e| failed(e, "/dev"))
    }

    /// Makes a directory, or changes its mode.
    pub(super) fn dir(&mut self, path: &str, mode: u32) -> Result<()> {
        self.dir_of(path, mode, 0)
    }

    /// As [`dir`](Self::dir), for a user of this number.
    pub(super) fn dir_of(&mut self, path: &str, mode: u32, user: u32) -> Result<()> {
        let files = &mut self.0;
        let made = files.make_dirs(path, 0o755, ROOT).and_then(|_| {
            files.set_mode(path, mode, ROOT)?;
            files.set_owner(path, true, (user, user), ROOT)
        });
        made.map_err(|e| failed(e, path))
    }

    /// Makes a file.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        self.parent(path)?;
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            mode,
            ..OpenOptions::default()
        };
        let files = &mut self.0;
        let made = files.open(path, options, ROOT).and_then(|handle| {
            files.write_at(handle, 0, bytes, ROOT)?;
            files.close(handle)
        });
        made.map_err(|e| failed(e, path))
    }

    /// Makes a link; one that is there already is replaced.
    pub(super) fn link(&mut self, path: &str, text: &str) -> Result<()> {
        self.parent(path)?;
        let files = &mut self.0;
        if files.metadata(path, false).is_ok() {
            files.unlink(path, ROOT).map_err(|e| failed(e, path))?;
        }
        let made = files.symlink(text, path, ROOT);
        made.map(|_| ()).map_err(|e| failed(e, path))
    }

    fn parent(&mut self, path: &str) -> Result<()> {
        match path.rsplit_once('/') {
            None | Some(("", _)) => Ok(()),
            Some((parent, _)) => {
                let made = self.0.make_dirs(parent, 0o755, ROOT);
                made.map(|_| ()).map_err(|e| failed(e, parent))
            }
        }
    }
}

fn failed(errno: crate::fs::Errno, path: &str) -> sandbox_core::Error {
    errno.into_error("wasm.image", path)
}

fn unlimited() -> Limits {
    Limits {
        bytes: u64::MAX,
        inodes: u64::MAX,
        file_bytes: u64::MAX,
    }
}
