//! What a store carries.

use std::sync::Arc;

use wasmtime::Memory;

use super::limiter::Limiter;
use super::run::Prepared;
use crate::kernel::Process;
use crate::wasi::cwd::Paths;

/// The data of a process's store: what host functions get as `caller.data()`.
pub(crate) struct ProcessState {
    /// The process.
    pub(crate) process: Arc<Process>,
    /// The guest's memory, once it is instantiated; [`wasi::memory`](crate::wasi::memory) is the
    /// way to it.
    pub(crate) memory: Option<Memory>,
    /// What the relative paths of its program are.
    pub(crate) paths: Paths,
    /// The program to run next, when `exec` has found one: set before the host function fails with
    /// [`ExecRequested`](super::status::ExecRequested).
    pub(crate) next: Option<Prepared>,
    /// What a component's calls need, once one runs.
    #[cfg(feature = "components")]
    pub(crate) component: Option<Box<crate::component::State>>,
    pub(super) limiter: Limiter,
}

impl ProcessState {
    pub(super) fn new(process: Arc<Process>) -> Self {
        Self {
            limiter: Limiter::new(process.clone()),
            process,
            memory: None,
            paths: Paths::Given,
            next: None,
            #[cfg(feature = "components")]
            component: None,
        }
    }
}

impl std::fmt::Debug for ProcessState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("ProcessState");
        debug
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}
