//! `sandbox_v0`: what programs can import beyond WASI, over the kernel.

use wasmtime::{Linker, Result};

use crate::engine::ProcessState;

/// The name of the import module.
pub(crate) const MODULE: &str = "sandbox_v0";

/// Adds the import module.
pub(crate) fn add_to_linker(_linker: &mut Linker<ProcessState>) -> Result<()> {
    Ok(())
}
