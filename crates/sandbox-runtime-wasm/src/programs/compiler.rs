//! From bytes to code that can be run: in memory, on disk, or compiled.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::digest::Digest;
use super::disk::DiskCache;
use super::known::{Begun, Known, Lookup};
use super::limits::ModuleLimits;
use super::pool::{Asker, Pool};
use super::program::Program;
use super::refused::Refused;
use super::scan::{self, Kind};
use crate::fs::Contents;

/// What compiles, and takes compiled code up again.
pub(crate) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Code that can be run.
    type Code: fmt::Debug + Clone + Send + Sync + 'static;

    /// Another value for everything that makes compiled code another: version, settings, machine.
    fn engine(&self) -> Digest;

    /// Whether something is provided to modules under these names.
    fn provides(&self, module: &str, name: &str) -> bool;

    /// Compiles to bytes that [`load`](Self::load) takes. Also validates.
    ///
    /// # Errors
    /// [`Refused::Malformed`], or another reason.
    fn compile(&self, kind: Kind, wasm: &[u8]) -> Result<Vec<u8>, Refused>;

    /// Takes up what [`compile`](Self::compile) made, and links it.
    ///
    /// # Errors
    /// [`Refused::NotLinked`] for what is imported and not provided; [`Refused::Broken`].
    fn load(&self, kind: Kind, code: Compiled<'_>) -> Result<Self::Code, Refused>;
}

/// Where compiled code is. It is what this user's own processes have compiled, unchanged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Compiled<'a> {
    /// In a file that is not changed any more.
    File(&'a Path),
    /// In memory.
    Bytes(&'a [u8]),
}

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A program of an image. It was checked when the image was made.
    Program(Arc<Program>),
    /// A file that somebody put into a sandbox.
    File(Contents),
}

/// Code by what it was compiled from: of one engine, for all its sandboxes.
#[derive(Debug)]
pub(crate) struct Compiler<B: Backend> {
    shared: Arc<Shared<B>>,
    pool: Pool,
}

#[derive(Debug)]
struct Shared<B: Backend> {
    backend: Arc<B>,
    disk: Option<DiskCache>,
    limits: ModuleLimits,
    known: Mutex<Known<B::Code>>,
}

type Answer<C> = oneshot::Sender<Result<C, Refused>>;

impl<B: Backend> Compiler<B> {
    /// A compiler on at most `threads` threads, which keeps what it makes in `disk`.
    pub(crate) fn new(
        backend: Arc<B>,
        disk: Option<DiskCache>,
        limits: ModuleLimits,
        threads: usize,
    ) -> Self {
        let shared = Shared {
            backend,
            disk,
            limits,
            known: Mutex::new(Known::new()),
        };
        Self {
            shared: Arc::new(shared),
            pool: Pool::new(threads),
        }
    }

    /// The code of `source` if it is there already. This never waits.
    pub(crate) fn ready(&self, source: &Source) -> Option<Result<B::Code, Refused>> {
        match self.shared.known().look_up(source) {
            Lookup::Done(result) => Some(result),
            Lookup::Digest(_) | Lookup::Nothing => None,
        }
    }

    /// The code of `source`, compiled on another thread where it has to be. Dropping the future
    /// takes the request back, unless it is being carried out.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn code(&self, asker: Asker, source: Source) -> Result<B::Code, Refused> {
        if let Some(ready) = self.ready(&source) {
            return ready;
        }
        let limits = &self.shared.limits;
        if let Source::File(contents) = &source {
            check_start(contents, limits)?;
        }
        let (answer, answered) = oneshot::channel();
        let shared = self.shared.clone();
        let job = Box::new(move || shared.carry_out(&source, answer));
        if !self.pool.submit(asker, limits.waiting, job) {
            let limit = limits.waiting;
            return Err(Refused::Busy { limit });
        }
        let lost = |_| Err(Refused::Broken("the compiler failed".to_owned()));
        answered.await.unwrap_or_else(lost)
    }
}

/// What can be said without reading the file, or waiting.
fn check_start(contents: &Contents, limits: &ModuleLimits) -> Result<(), Refused> {
    let (has, limit) = (contents.size(), limits.bytes);
    if has > limit {
        let what = "bytes";
        return Err(Refused::TooLarge { what, has, limit });
    }
    let mut start = [0; 8];
    let len = contents.read(0, &mut start);
    match scan::kind_of(&start[..len]) {
        Some(_) => Ok(()),
        None => Err(Refused::Malformed("it does not begin like one".to_owned())),
    }
}

impl<B: Backend> Shared<B> {
    fn known(&self) -> MutexGuard<'_, Known<B::Code>> {
        // What is changed under the lock is changed in single steps.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, source: &Source, answer: Answer<B::Code>) {
        if answer.is_closed() {
            return;
        }
        let found = self.known().look_up(source);
        let digest = match found {
            Lookup::Done(result) => return tell(answer, result),
            Lookup::Digest(digest) => Some(digest),
            Lookup::Nothing => None,
        };
        let mut wasm = None;
        let digest = match (digest, source) {
            (Some(digest), _) => digest,
            (None, Source::Program(program)) => program.digest(),
            (None, Source::File(contents)) => {
                let bytes = wasm.insert(self.read(contents));
                Digest::of(bytes)
            }
        };
        // Of several who want the same, the first makes it and the others are told.
        let begun = self.known().begin(source, digest, answer);
        match begun {
            Begun::Make => {}
            Begun::Waits => return,
            Begun::Done(answer, made) => return tell(answer, made),
        }
        let made = catch_unwind(AssertUnwindSafe(|| self.make(source, digest, wasm)));
        let broken = |_| Err(Refused::Broken("the compiler panicked".to_owned()));
        let made = made.unwrap_or_else(broken);
        let answers = self.known().finish(source, digest, &made);
        for answer in answers {
            tell(answer, made.clone());
        }
    }

    fn read(&self, contents: &Contents) -> Vec<u8> {
        let limit = usize::try_from(self.limits.bytes).unwrap_or(usize::MAX);
        // The size was compared with the limit before the job was taken.
        contents.to_vec(limit).unwrap_or_default()
    }

    fn make(
        &self,
        source: &Source,
        digest: Digest,
        wasm: Option<Vec<u8>>,
    ) -> Result<B::Code, Refused> {
        let entry = self.disk.as_ref().and_then(|disk| {
            let failed = |error: &_| tracing::warn!(%error, "the cache of compiled code");
            disk.lock(digest).inspect_err(failed).ok()
        });
        if let Some(found) = entry.as_ref().and_then(|entry| entry.find()) {
            match self.load_any(&found) {
                Ok(code) => return Ok(code),
                Err(error) => tracing::warn!(%digest, %error, "cached code cannot be loaded"),
            }
        }
        let wasm = match (wasm, source) {
            (Some(wasm), _) => Cow::Owned(wasm),
            (None, Source::File(contents)) => Cow::Owned(self.read(contents)),
            (None, Source::Program(program)) => {
                let broken = |e: std::io::Error| Refused::Broken(e.to_string());
                program.wasm().map_err(broken)?
            }
        };
        let provided = |module: &str, name: &str| self.backend.provides(module, name);
        let limits = match source {
            Source::File(_) => self.limits,
            Source::Program(_) => trusted(),
        };
        let kind = scan::scan(&wasm, &limits, &provided)?;
        let code = self.backend.compile(kind, &wasm)?;
        if let Some(entry) = &entry {
            match entry.store(&code) {
                Ok(path) => return self.backend.load(kind, Compiled::File(&path)),
                Err(error) => tracing::warn!(%error, "compiled code cannot be kept"),
            }
        }
        self.backend.load(kind, Compiled::Bytes(&code))
    }

    /// Loads code of which only the digest is known: a component does not load as a module.
    fn load_any(&self, path: &Path) -> Result<B::Code, Refused> {
        let code = Compiled::File(path);
        let module = self.backend.load(Kind::Module, code);
        module.or_else(|e| self.backend.load(Kind::Component, code).map_err(|_| e))
    }
}

/// For programs of images: what a person chose to install may be large.
fn trusted() -> ModuleLimits {
    ModuleLimits {
        bytes: 1 << 30,
        functions: 1_000_000,
        function_bytes: 8 << 20,
        ..ModuleLimits::default()
    }
}

fn tell<C>(answer: Answer<C>, result: Result<C, Refused>) {
    // Who has gone misses nothing.
    let _ = answer.send(result);
}
