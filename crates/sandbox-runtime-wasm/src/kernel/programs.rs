//! Where the kernel finds the code of programs.

use std::fmt;
use std::sync::Arc;

use super::errno::Errno;
use crate::engine::Executable;
use crate::fs::Contents;
use async_trait::async_trait;

/// The programs of one sandbox: those its image brought, and what compiles its own.
///
/// [`Machine`](super::Machine) asks it whenever something is started. `images/` and `programs/`
/// implement it; nothing here compiles on a thread that runs guests.
#[async_trait]
pub(crate) trait Programs: fmt::Debug + Send + Sync + 'static {
    /// The program that a stub names by the digest of its module (64 lower-case hexadecimal
    /// digits), when it is compiled already. The fast way: no waiting, no allocation.
    fn ready(&self, sha256: &str) -> Option<Arc<Executable>>;

    /// As [`ready`](Self::ready), compiling or loading it first.
    ///
    /// # Errors
    /// [`LoadError`].
    async fn load(&self, sha256: &str) -> Result<Arc<Executable>, LoadError>;

    /// The code of a Wasm file that a user brought, by its content.
    ///
    /// # Errors
    /// [`LoadError`].
    async fn compile(&self, wasm: Contents) -> Result<Arc<Executable>, LoadError>;
}

/// Why there is no code to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadError {
    /// The sandbox has no program of this digest.
    Unknown,
    /// It is not a module or component that can run here; says why.
    Invalid(String),
    /// It is larger than what is compiled here.
    TooLarge,
    /// Too much is being compiled already; it may work later.
    Busy,
}

impl From<LoadError> for Errno {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unknown | LoadError::Invalid(_) => Self::NOEXEC,
            LoadError::TooLarge => Self::NOMEM,
            LoadError::Busy => Self::AGAIN,
        }
    }
}
