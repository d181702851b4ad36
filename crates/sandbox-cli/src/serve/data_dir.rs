//! The directory a server keeps everything in.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sandbox_core::{Capabilities, Error, ErrorKind, Result, RuntimeName};

/// The name of the database.
const DATABASE: &str = "sandbox.db";

/// A server's directory, readable by its user alone.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Opens the directory, and makes it when it is missing. One that others can read is closed to
    /// them: the environment variables of sandboxes are in it.
    ///
    /// # Errors
    /// With field `data_dir`, what is wrong with it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |e| refused(path, e);
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let found = fs::metadata(path).map_err(failed)?;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self(path.to_owned()))
    }

    /// The directory of a server that was here before.
    pub(crate) fn existing(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    fn remembered(&self, runtime: &RuntimeName) -> PathBuf {
        self.0.join(format!("runtime-{runtime}.json"))
    }

    /// Keeps what a runtime can do, for a start at which it is away.
    ///
    /// # Errors
    /// With field `data_dir`, when it cannot be written.
    pub(crate) fn remember(&self, runtime: &RuntimeName, can: &Capabilities) -> Result<()> {
        let path = self.remembered(runtime);
        let write = || -> io::Result<()> {
            let json = serde_json::to_vec(can).map_err(io::Error::other)?;
            let new = path.with_extension("new");
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&new)?.write_all(&json)?;
            fs::rename(&new, &path)
        };
        write().map_err(|e| refused(&path, e))
    }

    /// What a runtime could do when it was last here; `None` when it never was.
    pub(crate) fn recall(&self, runtime: &RuntimeName) -> Option<Capabilities> {
        let json = fs::read(self.remembered(runtime)).ok()?;
        // What another version wrote is as good as nothing.
        serde_json::from_slice(&json).ok()
    }
}

fn refused(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::LimitExceeded,
        _ => ErrorKind::InvalidSpec,
    };
    let message = format!("{} cannot be used", path.display());
    Error::new(kind, "serve.data_dir", message)
        .with_field("data_dir")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_its_users_alone_also_when_it_was_open_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join("a/b");
        DataDir::open(&new).unwrap();
        assert_eq!(mode(&new), 0o700);
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        DataDir::open(&new).unwrap();
        assert_eq!(mode(&new), 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = DataDir::open(&path).unwrap_err();
            assert_eq!(error.field(), Some("data_dir"), "{error:?}");
        }
    }

    #[test]
    fn what_a_runtime_could_do_is_recalled_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        let docker = RuntimeName::new("docker").unwrap();
        assert_eq!(data.recall(&docker), None);
        let mut can = Capabilities::default();
        can.pause = true;
        data.remember(&docker, &can).unwrap();
        assert_eq!(data.recall(&docker), Some(can));
        assert_eq!(mode(&data.remembered(&docker)), 0o600);
        fs::write(data.remembered(&docker), "{").unwrap();
        assert_eq!(data.recall(&docker), None);
    }
}
