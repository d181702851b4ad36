//! What sandboxes are made from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{BoxStream, Error, ErrorKind, Progress, Result, SandboxPath, SandboxSpec};

use crate::fs::{self, Caller, FileSystem, Limits, Snapshot, Usage};
use crate::kernel::Programs;

/// Files, programs and defaults: an image, or a snapshot of a sandbox that was made from one. A
/// clone shares all of it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The files.
    pub(crate) files: Snapshot,
    /// The programs that files stand for.
    pub(crate) programs: Arc<dyn Programs>,
    /// Environment variables of every command, unless a spec says otherwise.
    pub(crate) env: Arc<[(String, String)]>,
    /// Where commands start, unless a spec says otherwise.
    pub(crate) workdir: SandboxPath,
    /// What the image takes of a disk: it is not the sandbox's own.
    pub(crate) image: Usage,
}

/// Inodes a sandbox may have beside its image's.
pub(crate) const MAX_INODES: u64 = 200_000;

impl Origin {
    /// A file system of these files with room for `disk` bytes beside the image's.
    ///
    /// # Errors
    /// `LimitExceeded` with field `resources.disk` when they hold more already.
    pub(crate) fn open(&self, disk: u64) -> Result<FileSystem> {
        let limits = Limits {
            bytes: self.image.bytes.saturating_add(disk),
            inodes: self.image.inodes.saturating_add(MAX_INODES),
            file_bytes: self.image.bytes.saturating_add(disk),
        };
        FileSystem::from_snapshot(&self.files, limits).map_err(|errno| {
            let held = self.files.usage().bytes.saturating_sub(self.image.bytes);
            let message = format!("is {disk}; the snapshot holds {held} bytes already");
            Error::new(ErrorKind::LimitExceeded, "wasm.create", message)
                .with_field("resources.disk")
                .with_source(errno)
        })
    }

    /// As this, with the files as they are now in a sandbox made from it.
    pub(crate) fn with_files(&self, files: Snapshot) -> Self {
        Self {
            files,
            ..self.clone()
        }
    }
}

/// Where the commands of a sandbox made from `origin` start. A directory that only the spec names
/// is made.
///
/// # Errors
/// `InvalidSpec` with field `workdir` when something else is there.
pub(crate) fn workdir(
    origin: &Origin,
    spec: &SandboxSpec,
    files: &mut FileSystem,
    by: Caller,
) -> Result<SandboxPath> {
    let Some(asked) = spec.workdir() else {
        return Ok(origin.workdir.clone());
    };
    match files.make_dirs(asked, 0o755, by) {
        Ok(_) => Ok(asked.clone()),
        Err(errno @ fs::Errno::NoSpace) => Err(errno.into_error("wasm.create", "workdir")),
        Err(errno) => {
            let message = format!("{asked} is not a directory and cannot be made one");
            Err(Error::invalid("wasm.create", "workdir", message).with_source(errno))
        }
    }
}

/// Where images come from.
#[async_trait]
pub(crate) trait Catalogue: fmt::Debug + Send + Sync + 'static {
    /// What sandboxes of the image `name` start from, fetched and compiled first where it is not
    /// here yet.
    ///
    /// # Errors
    /// `NotFound` with field `image` when there is no such image; `Unavailable` when it cannot be
    /// fetched now.
    async fn origin(&self, name: &str) -> Result<Arc<Origin>>;

    /// Makes the image ready, telling how far it is.
    ///
    /// # Errors
    /// As [`origin`](Self::origin).
    async fn prepare(&self, name: &str) -> Result<BoxStream<Result<Progress>>>;

    /// An image that has the program `name`, where one is known.
    fn image_with(&self, name: &str) -> Option<&'static str>;
}
