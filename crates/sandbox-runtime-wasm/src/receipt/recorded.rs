//! The programs of a run, noted as they are started.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::block_on::block_on;
use crate::engine::Executable;
use crate::fs::Contents;
use crate::kernel::{LoadError, Programs};
use crate::lock::Lock;
use crate::programs::Digest;

/// The most bytes of a module that is read to be noted; more is not compiled either.
const MAX_BYTES: usize = 1 << 30;

/// Notes which programs were started. What has to be compiled is waited for on the spot: how long
/// it takes must not decide who runs meanwhile.
#[derive(Debug)]
pub(super) struct Recorded {
    inner: Arc<dyn Programs>,
    started: Lock<BTreeSet<String>>,
}

impl Recorded {
    pub(super) fn new(inner: Arc<dyn Programs>) -> Self {
        Self {
            inner,
            started: Lock::default(),
        }
    }

    /// The SHA-256 of every module that was started.
    pub(super) fn started(&self) -> BTreeSet<String> {
        self.started.lock().clone()
    }

    fn note(&self, sha256: &str) {
        self.started.lock().insert(sha256.to_owned());
    }
}

#[async_trait]
impl Programs for Recorded {
    fn ready(&self, sha256: &str) -> Option<Arc<Executable>> {
        let ready = self.inner.ready(sha256)?;
        self.note(sha256);
        Some(ready)
    }

    async fn load(&self, sha256: &str) -> Result<Arc<Executable>, LoadError> {
        let loaded = block_on(self.inner.load(sha256))?;
        self.note(sha256);
        Ok(loaded)
    }

    async fn compile(&self, wasm: Contents) -> Result<Arc<Executable>, LoadError> {
        let compiled = block_on(self.inner.compile(wasm.clone()))?;
        let bytes = wasm.to_vec(MAX_BYTES).ok_or(LoadError::TooLarge)?;
        self.note(&Digest::of(&bytes).to_string());
        Ok(compiled)
    }
}
