//! The images of one runtime.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sandbox_core::{BoxStream, Error, ErrorKind, Progress, Result};

use super::image::Image;
use super::manifest::Manifest;
#[cfg(feature = "pull")]
use super::prepare::Reporter;
use super::store::ImageStore;
use super::{base, places};
use crate::engine::Engine;
use crate::lock::Lock;
use crate::origin::{Catalogue, Origin};
use crate::programs::{Asker, Backend, Compiler, DiskCache, ModuleLimits, SandboxPrograms, Source};

/// The most bytes of compiled code that are kept on disk.
const MAX_COMPILED_BYTES: u64 = 4 << 30;
/// Whose compilations those for no sandbox are.
const NOBODY: Asker = Asker(u64::MAX);

/// Finds images by name, and the code of their programs. A clone shares all of it.
#[derive(Debug, Clone)]
pub(crate) struct Images(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    compiler: Arc<Compiler<Engine>>,
    store: Option<ImageStore>,
    base: OnceLock<Arc<Image>>,
    /// Those that were used, by their manifest's name.
    used: Lock<HashMap<&'static str, Arc<Image>>>,
}

/// How images are found and compiled.
#[derive(Debug, Default)]
pub(crate) struct ImagesOptions {
    /// Where pulled ones are; without it, this user's.
    pub(crate) store: Option<ImageStore>,
    /// Where compiled code is kept; without it, in this user's directory for caches.
    pub(crate) compiled: Option<PathBuf>,
    /// What programs that sandboxes bring may be.
    pub(crate) modules: ModuleLimits,
    /// On how many threads at most code is compiled.
    pub(crate) threads: usize,
}

impl Images {
    /// Images whose code `engine` compiles.
    pub(crate) fn new(engine: Arc<Engine>, options: ImagesOptions) -> Self {
        let disk = options.compiled.or_else(places::compiled).and_then(|dir| {
            let failed = |error: &std::io::Error| {
                let dir = dir.display();
                tracing::warn!(%dir, %error, "compiled code is not kept");
            };
            let opened = DiskCache::open(&dir, engine.engine(), MAX_COMPILED_BYTES);
            opened.inspect_err(failed).ok()
        });
        let compiler = Compiler::new(engine, disk, options.modules, options.threads);
        Self(Arc::new(Inner {
            compiler: Arc::new(compiler),
            store: options.store.or_else(|| ImageStore::of_user().ok()),
            base: OnceLock::new(),
            used: Lock::default(),
        }))
    }

    /// The image that `name` leads to. The first time it may read megabytes.
    ///
    /// # Errors
    /// `NotFound` with field `image` when there is none, or it has to be pulled first: the message
    /// says how.
    pub(crate) fn image(&self, name: &str) -> Result<Arc<Image>> {
        if base::is(name) {
            return self.base();
        }
        let manifest = Manifest::named(name).ok_or_else(|| unknown(name))?;
        if let Some(used) = self.0.used.lock().get(manifest.name.as_str()) {
            return Ok(used.clone());
        }
        let image = Arc::new(self.store()?.load(manifest, &*self.base()?)?);
        let mut used = self.0.used.lock();
        Ok(used.entry(&manifest.name).or_insert(image).clone())
    }

    fn base(&self) -> Result<Arc<Image>> {
        if let Some(base) = self.0.base.get() {
            return Ok(base.clone());
        }
        let made = Arc::new(base::image()?);
        Ok(self.0.base.get_or_init(|| made).clone())
    }

    fn store(&self) -> Result<&ImageStore> {
        match &self.0.store {
            Some(store) => Ok(store),
            // Says why there is none.
            None => Err(ImageStore::of_user().err().unwrap_or_else(|| unknown("?"))),
        }
    }

    /// Compiles the programs of the image that `name` leads to, so that no command waits for it.
    ///
    /// # Errors
    /// As [`image`](Self::image); `Internal` when a program cannot be compiled.
    pub(crate) async fn compile(&self, name: &str) -> Result<()> {
        let image = self.image(name)?;
        for program in image.programs.iter() {
            let source = Source::Program(program.clone());
            let compiled = self.0.compiler.code(NOBODY, source).await;
            compiled.map_err(|refused| refused.into_error("wasm.compile", program.name()))?;
        }
        Ok(())
    }

    #[cfg(feature = "pull")]
    pub(super) fn store_of(&self) -> Result<ImageStore> {
        self.store().cloned()
    }
}

#[async_trait]
impl Catalogue for Images {
    async fn origin(&self, name: &str) -> Result<Arc<Origin>> {
        #[cfg(feature = "pull")]
        super::prepare::fetch(self, name, &Reporter::nobody()).await?;
        let image = self.image(name)?;
        // One for each sandbox: whose compilations are whose.
        let programs = SandboxPrograms::new(image.programs.clone(), self.0.compiler.clone());
        Ok(Arc::new(Origin {
            files: image.files.clone(),
            programs: Arc::new(programs),
            env: image.env.clone(),
            workdir: image.workdir.clone(),
            image: image.usage,
        }))
    }

    async fn prepare(&self, name: &str) -> Result<BoxStream<Result<Progress>>> {
        if !base::is(name) && Manifest::named(name).is_none() {
            return Err(unknown(name));
        }
        Ok(super::prepare::prepare(self.clone(), name.to_owned()))
    }

    fn image_with(&self, name: &str) -> Option<&'static str> {
        Manifest::with_program(name).map(|manifest| manifest.name.as_str())
    }
}

fn unknown(name: &str) -> Error {
    let mut names = vec![base::NAME];
    names.extend(
        Manifest::all()
            .iter()
            .map(|manifest| manifest.name.as_str()),
    );
    let known = names.join(", ");
    let message = format!("there is no image {name:?} for the Wasm runtime; there are {known}");
    Error::new(ErrorKind::NotFound, "wasm.images", message).with_field("image")
}
