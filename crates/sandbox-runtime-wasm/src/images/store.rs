//! Images that were fetched, in a directory of this user's.
//!
//! An image is a directory `NAME@KEY` that appears whole, by renaming. Its manifest is part of this
//! program; the key changes with it, so that what another version fetched is not taken for this
//! one's.

use std::fs;
#[cfg(feature = "pull")]
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
#[cfg(feature = "pull")]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::base;
use super::image::Image;
use super::manifest::Manifest;
use super::tree::Tree;
use crate::programs::{Digest, Program, ProgramSet};

/// What was made of a manifest when it was fetched.
const RECORD: &str = "image.json";

/// The directory of fetched images.
#[derive(Debug, Clone)]
pub struct ImageStore {
    dir: PathBuf,
}

/// What an installed image has beside its manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The digests of its programs, in the manifest's order: they are adapted when fetched.
    pub(super) programs: Vec<String>,
}

impl ImageStore {
    /// The store in `dir`, which need not exist yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The store of this user: `SANDBOX_IMAGES_DIR`, or `sandbox/images` in the user's directory
    /// for data (`XDG_DATA_HOME`, `~/.local/share`).
    ///
    /// # Errors
    /// `InvalidSpec` with field `SANDBOX_IMAGES_DIR` when neither is set.
    pub fn of_user() -> Result<Self> {
        super::places::images().map(Self::at).ok_or_else(|| {
            let message = "there is no place for images: set it to a directory, or set HOME";
            Error::invalid("wasm.images", "SANDBOX_IMAGES_DIR", message)
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the image of `manifest` is here.
    pub fn has(&self, manifest: &Manifest) -> bool {
        self.place(manifest).join(RECORD).is_file()
    }

    /// Bytes that the image of `manifest` takes here; `None` when it is not here.
    pub fn size(&self, manifest: &Manifest) -> Option<u64> {
        let entries = self
            .has(manifest)
            .then(|| fs::read_dir(self.place(manifest)))?;
        let sizes = entries
            .ok()?
            .filter_map(|e| Some(e.ok()?.metadata().ok()?.len()));
        Some(sizes.sum())
    }

    /// Removes the image of `manifest`, and what other versions fetched under its name.
    ///
    /// # Errors
    /// `NotFound` with field `image` when there is none; `PermissionDenied` or `Unavailable` when
    /// it cannot be removed.
    pub fn remove(&self, manifest: &Manifest) -> Result<()> {
        let gone = |e: io::Error| self.failed("cannot be removed from", e);
        let prefix = format!("{}@", manifest.name);
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(gone)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(gone(e)),
        };
        let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&prefix);
        let mut removed = false;
        for entry in entries.iter().filter(|entry| ours(&entry.file_name())) {
            fs::remove_dir_all(entry.path()).map_err(gone)?;
            removed = true;
        }
        match removed {
            true => Ok(()),
            false => {
                let message = format!("the image `{}` has not been pulled", manifest.name);
                let error = Error::new(ErrorKind::NotFound, "wasm.images", message);
                Err(error.with_field("image"))
            }
        }
    }

    pub(super) fn place(&self, manifest: &Manifest) -> PathBuf {
        self.dir
            .join(format!("{}@{}", manifest.name, manifest.key()))
    }
}

/// Putting images in.
#[cfg(feature = "pull")]
impl ImageStore {
    /// Makes the directory, and takes the lock on an image: others that fetch it wait.
    pub(super) fn lock(&self, manifest: &Manifest) -> Result<File> {
        let lock = || {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&self.dir)?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            let lock = options.open(self.dir.join(format!("{}.lock", manifest.name)))?;
            lock.lock()?;
            Ok(lock)
        };
        lock().map_err(|e| self.failed("cannot be written to", e))
    }

    /// A directory in which an image is put together. It is removed unless it is
    /// [installed](Self::install).
    pub(super) fn begin(&self) -> Result<tempfile::TempDir> {
        let made = tempfile::Builder::new()
            .prefix("new-")
            .tempdir_in(&self.dir);
        made.map_err(|e| self.failed("cannot be written to", e))
    }

    /// Writes a file of an image that is put together.
    pub(super) fn write(&self, new: &tempfile::TempDir, name: &str, bytes: &[u8]) -> Result<()> {
        let written = fs::write(new.path().join(name), bytes);
        written.map_err(|e| self.failed("cannot be written to", e))
    }

    /// Makes what is in `from` the image of `manifest`.
    pub(super) fn install(
        &self,
        manifest: &Manifest,
        from: tempfile::TempDir,
        record: &Record,
    ) -> Result<()> {
        let install = || -> io::Result<()> {
            fs::write(from.path().join(RECORD), serde_json::to_vec(record)?)?;
            for entry in fs::read_dir(from.path())? {
                File::open(entry?.path())?.sync_all()?;
            }
            let place = self.place(manifest);
            if place.exists() {
                fs::remove_dir_all(&place)?;
            }
            fs::rename(from.path(), place)?;
            // It is not there any more under that name, so nothing is removed.
            let _ = from.keep();
            Ok(())
        };
        install().map_err(|e| self.failed("cannot be written to", e))
    }
}

/// Taking images out.
impl ImageStore {
    /// The image of `manifest`, over the tree of `base`.
    ///
    /// # Errors
    /// `NotFound` with field `image`, and what to do about it, when it is not here; `Internal`
    /// when what is here is not what was fetched.
    pub(super) fn load(&self, manifest: &Manifest, base: &Image) -> Result<Image> {
        let place = self.place(manifest);
        let record = match fs::read(place.join(RECORD)) {
            Ok(json) => serde_json::from_slice::<Record>(&json).map_err(|_| damaged(manifest))?,
            Err(_) => return Err(missing(manifest)),
        };
        if record.programs.len() != manifest.program.len() {
            return Err(damaged(manifest));
        }
        let mut tree = Tree::over(&base.files)?;
        for (index, file) in manifest.file.iter().enumerate() {
            let bytes = fs::read(place.join(file_name(index))).map_err(|_| damaged(manifest))?;
            if Digest::of(&bytes) != file.source.sha256 {
                return Err(damaged(manifest));
            }
            tree.file(&file.path, &bytes, file.mode)?;
        }
        for own in &manifest.own {
            let text = own.text().ok_or_else(|| damaged(manifest))?;
            tree.file(&own.path, text.as_bytes(), 0o644)?;
        }
        let mut programs: Vec<Arc<Program>> = base.programs.iter().cloned().collect();
        for (index, (entry, digest)) in manifest.program.iter().zip(&record.programs).enumerate() {
            let digest: Digest = digest.parse().map_err(|_| damaged(manifest))?;
            let path = place.join(program_name(index));
            let program = Arc::new(Program::file(&entry.name, digest, path));
            let names: Vec<_> = entry.names.iter().map(String::as_str).collect();
            base::install(&mut tree, &program, &names)?;
            programs.push(program);
        }
        let env: Vec<_> = manifest.env.clone().into_iter().collect();
        Image::new(tree.snapshot(), ProgramSet::new(programs), &env)
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::PermissionDenied
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::LimitExceeded,
            _ => ErrorKind::Unavailable,
        };
        let message = format!("an image {what} {}", self.dir.display());
        Error::new(kind, "wasm.images", message)
            .with_field("SANDBOX_IMAGES_DIR")
            .with_source(error)
    }
}

/// The name of a file of an installed image.
pub(super) fn file_name(index: usize) -> String {
    format!("file-{index}")
}

/// The name of a program of an installed image.
pub(super) fn program_name(index: usize) -> String {
    format!("program-{index}.wasm")
}

fn missing(manifest: &Manifest) -> Error {
    let name = &manifest.name;
    let message = format!("the image `{name}` is not here yet: sandbox images pull {name}");
    Error::new(ErrorKind::NotFound, "wasm.images", message).with_field("image")
}

fn damaged(manifest: &Manifest) -> Error {
    let name = &manifest.name;
    let message = format!(
        "the image `{name}` is damaged: sandbox images rm {name}, then sandbox images pull {name}"
    );
    Error::new(ErrorKind::Internal, "wasm.images", message).with_field("image")
}
