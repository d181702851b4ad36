//! What the kernel of one sandbox asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::compiler::{Compiler, Source};
use super::digest::Digest;
use super::pool::Asker;
use super::program::ProgramSet;
use super::refused::Refused;
use crate::engine::{Engine, Executable};
use crate::fs::Contents;
use crate::kernel::{LoadError, Programs};

/// The programs of one sandbox: those of its image, and what it brings itself.
#[derive(Debug)]
pub(crate) struct SandboxPrograms {
    set: ProgramSet,
    compiler: Arc<Compiler<Engine>>,
    asker: Asker,
}

impl SandboxPrograms {
    /// For a new sandbox with the programs of `set`.
    pub(crate) fn new(set: ProgramSet, compiler: Arc<Compiler<Engine>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            set,
            compiler,
            asker: Asker(NEXT.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn program(&self, sha256: &str) -> Option<Source> {
        let digest: Digest = sha256.parse().ok()?;
        self.set.get(&digest).cloned().map(Source::Program)
    }
}

#[async_trait]
impl Programs for SandboxPrograms {
    fn ready(&self, sha256: &str) -> Option<Arc<Executable>> {
        self.compiler.ready(&self.program(sha256)?)?.ok()
    }

    async fn load(&self, sha256: &str) -> Result<Arc<Executable>, LoadError> {
        let program = self.program(sha256).ok_or(LoadError::Unknown)?;
        Ok(self.compiler.code(self.asker, program).await?)
    }

    async fn compile(&self, wasm: Contents) -> Result<Arc<Executable>, LoadError> {
        let file = Source::File(wasm);
        Ok(self.compiler.code(self.asker, file).await?)
    }
}

impl From<Refused> for LoadError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLarge { what: "bytes", .. } => Self::TooLarge,
            Refused::Busy { .. } => Self::Busy,
            refused => Self::Invalid(refused.to_string()),
        }
    }
}
