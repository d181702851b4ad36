//! Fetching an image from a package registry.

use std::sync::Arc;

use sandbox_core::{BoxStream, Error, ErrorKind, Progress, Result};

use super::adapt::adapt;
use super::catalogue::{Images, ImagesOptions};
use super::download::download;
use super::manifest::Manifest;
use super::package::{self, Files};
use super::prepare::{Reporter, reported};
use super::registries::Registries;
use super::store::{ImageStore, Record, file_name, program_name};
use crate::engine::{Engine, EngineOptions};
use crate::programs::Digest;

/// How many processes the engine has that compiles and runs nothing.
const PROCESSES: u32 = 1;

/// Fetches the image of `manifest` into `store` where it is not there yet, and compiles its
/// programs for every process of this user. The stream says how far it is, and ends when it is
/// done or with the error. It needs a Tokio runtime; dropping it leaves nothing half-done behind.
///
/// # Errors
/// In the stream: `Unavailable` when the registry does not answer, or nobody knows where it is (the
/// field is the variable to set); `Internal` with field `image` when a package is not what the
/// manifest pins; `PermissionDenied` or `LimitExceeded` with field `SANDBOX_IMAGES_DIR` when it
/// cannot be kept.
pub fn pull(
    store: &ImageStore,
    manifest: &'static Manifest,
    registries: &Registries,
) -> BoxStream<Result<Progress>> {
    let (store, registries) = (store.clone(), registries.clone());
    reported(move |reporter| async move {
        fetch(&store, manifest, &registries, &reporter).await?;
        reporter.step(&format!("compiling {}", manifest.name));
        let options = EngineOptions {
            processes: PROCESSES,
        };
        let engine = Arc::new(Engine::new(&options)?);
        let options = ImagesOptions {
            store: Some(store),
            threads: 1,
            ..ImagesOptions::default()
        };
        let images = Images::new(engine, options);
        images.compile(&manifest.name).await
    })
}

/// As [`pull`], without compiling.
pub(super) async fn fetch(
    store: &ImageStore,
    manifest: &Manifest,
    registries: &Registries,
    reporter: &Reporter,
) -> Result<()> {
    let lock = {
        let (store, manifest) = (store.clone(), manifest.clone());
        reporter.step(&format!("waiting for another pull of {}", manifest.name));
        blocking(move || store.lock(&manifest)).await?
    };
    if store.has(manifest) {
        return Ok(());
    }
    let url = {
        let (registries, kind) = (registries.clone(), manifest.package.registry);
        // It may ask a package manager.
        blocking(move || registries.url(kind)).await?
    };
    let archive = download(&manifest.package, &url, reporter).await?;
    reporter.step(&format!("unpacking {}", manifest.name));
    let (store, manifest) = (store.clone(), manifest.clone());
    blocking(move || {
        let files = package::take(&manifest, archive)?;
        let installed = install(&store, &manifest, &files);
        // Held until it is there.
        drop(lock);
        installed
    })
    .await
}

/// Puts the image together in the store.
fn install(store: &ImageStore, manifest: &Manifest, files: &Files) -> Result<()> {
    let new = store.begin()?;
    let mut record = Record {
        programs: Vec::new(),
    };
    for (index, entry) in manifest.program.iter().enumerate() {
        let wasm = taken(files, &entry.source.path)?;
        let adapted = entry
            .adapt
            .as_ref()
            .map(|how| adapt(wasm, how))
            .transpose()?;
        let wasm = adapted.as_deref().unwrap_or(wasm);
        record.programs.push(Digest::of(wasm).to_string());
        store.write(&new, &program_name(index), wasm)?;
    }
    for (index, entry) in manifest.file.iter().enumerate() {
        let bytes = taken(files, &entry.source.path)?;
        store.write(&new, &file_name(index), bytes)?;
    }
    store.install(manifest, new, &record)
}

fn taken<'a>(files: &'a Files, path: &str) -> Result<&'a [u8]> {
    let missing = || {
        Error::new(
            ErrorKind::Internal,
            "wasm.pull",
            format!("{path} was not taken"),
        )
    };
    files.get(path).map(Vec::as_slice).ok_or_else(missing)
}

/// Runs what waits for files or takes long, off the threads of the async runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        let message = "the pull was cut off";
        Err(Error::new(ErrorKind::Internal, "wasm.pull", message).with_source(e))
    })
}
