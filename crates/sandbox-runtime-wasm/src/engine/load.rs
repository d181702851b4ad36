//! Loading code that was compiled before. The one place for it: what is loaded here runs with the
//! host's rights.

use sandbox_core::{Error, ErrorKind, Result};
use wasmtime::Module;
use wasmtime::component::Component;

use super::Engine;

fn stale(error: wasmtime::Error) -> Error {
    let message = "the compiled code was made for another version or another machine";
    Error::new(ErrorKind::Internal, "wasm.load", message).with_source(error)
}

#[expect(
    unsafe_code,
    reason = "compiled code is loaded; who calls has made sure where it comes from"
)]
impl Engine {
    /// The module whose compiled form is `code`.
    ///
    /// # Safety
    /// `code` must be what [`wasmtime::Engine::precompile_module`] gave for an engine set up as
    /// this one, and nobody else can have changed it since.
    ///
    /// # Errors
    /// `Internal` when it was made by another version or for another machine.
    pub(crate) unsafe fn load_module(&self, code: &[u8]) -> Result<Module> {
        // SAFETY: as this function's own.
        unsafe { Module::deserialize(&self.wasmtime, code) }.map_err(stale)
    }

    /// The component whose compiled form is `code`.
    ///
    /// # Safety
    /// As [`load_module`](Self::load_module), of [`wasmtime::Engine::precompile_component`].
    ///
    /// # Errors
    /// As [`load_module`](Self::load_module).
    pub(crate) unsafe fn load_component(&self, code: &[u8]) -> Result<Component> {
        // SAFETY: as this function's own.
        unsafe { Component::deserialize(&self.wasmtime, code) }.map_err(stale)
    }
}
