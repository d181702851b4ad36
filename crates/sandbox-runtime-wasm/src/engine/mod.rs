//! Everything that runs code: one [`Engine`] for all sandboxes of a process.
//!
//! Host functions are put together in [`linker`](self::linker): each part of the ABI has a
//! `pub(crate) fn add_to_linker(&mut wasmtime::Linker<ProcessState>) -> wasmtime::Result<()>`.
//! A function gets at its process through `caller.data().process` and at the guest's memory
//! through [`wasi::memory`](crate::wasi::memory).

mod backend;
mod capacity;
mod config;
mod fuel;
mod limiter;
mod linker;
mod run;
mod state;
mod status;

use std::fmt;

use sandbox_core::{Error, ErrorKind, Result};
use wasmtime::{InstancePre, Linker, Module};

pub(crate) use capacity::{Capacity, Permit};
pub(crate) use config::EngineOptions;
pub(crate) use fuel::Fuel;
pub(crate) use run::{Ended, Prepared, exec_requested};
pub(crate) use state::ProcessState;
pub(crate) use status::ProcessExit;

/// The engine: compiles, links, runs.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    linker: Linker<ProcessState>,
    #[cfg(feature = "components")]
    component_linker: crate::component::Linker,
    /// How many processes there may be at once, over all sandboxes.
    pub(crate) capacity: Capacity,
}

/// Code that is compiled and linked, ready to be instantiated any number of times.
pub(crate) enum Executable {
    /// A preview 1 command.
    Module(InstancePre<ProcessState>),
    /// A preview 2 command.
    #[cfg(feature = "components")]
    Component(crate::component::Program),
}

impl Engine {
    /// An engine with every host function linked.
    ///
    /// # Errors
    /// `Unavailable` when the host does not give the address space, even for few processes.
    pub(crate) fn new(options: &EngineOptions) -> Result<Self> {
        let (wasmtime, processes) = config::engine(options)?;
        Self::over(wasmtime, processes)
    }

    /// An engine for deterministic runs, which measures in fuel. It has room for every process that
    /// limits let there be: a run must not depend on others.
    ///
    /// # Errors
    /// `Internal`; a defect.
    pub(crate) fn deterministic() -> Result<Self> {
        Self::over(config::deterministic_engine()?, u32::MAX)
    }

    fn over(wasmtime: wasmtime::Engine, processes: u32) -> Result<Self> {
        let defect = |e: wasmtime::Error| {
            let message = "cannot put the host functions together";
            Error::new(ErrorKind::Internal, "wasm.start", message).with_source(e)
        };
        let linker = linker::linker(&wasmtime).map_err(defect)?;
        #[cfg(feature = "components")]
        let component_linker = crate::component::Linker::new(&wasmtime).map_err(defect)?;
        Ok(Self {
            wasmtime,
            linker,
            #[cfg(feature = "components")]
            component_linker,
            capacity: Capacity::new(processes),
        })
    }

    /// The bare engine, for tests that compile for themselves.
    #[cfg(test)]
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// Makes everything that runs look whether to yield.
    pub(crate) fn tick(&self) {
        self.wasmtime.increment_epoch();
    }

    /// Links a compiled module.
    ///
    /// # Errors
    /// What it imports and does not get, for a person.
    pub(crate) fn link(&self, module: &Module) -> Result<Executable, String> {
        let linked = self.linker.instantiate_pre(module);
        linked.map(Executable::Module).map_err(|e| format!("{e:#}"))
    }

    /// Links a compiled component.
    ///
    /// # Errors
    /// As [`link`](Self::link).
    #[cfg(feature = "components")]
    pub(crate) fn link_component(
        &self,
        component: &wasmtime::component::Component,
    ) -> Result<Executable, String> {
        self.component_linker
            .link(component)
            .map(Executable::Component)
    }

    /// Refuses a component: this build runs none.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "components"))]
    pub(crate) fn link_component(
        &self,
        _component: &wasmtime::component::Component,
    ) -> Result<Executable, String> {
        Err("components are left out of this build (feature `components`)".into())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Module(_) => "Module",
            #[cfg(feature = "components")]
            Self::Component(_) => "Component",
        })
    }
}
