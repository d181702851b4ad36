//! WASI preview 1 over the kernel.

pub(crate) mod memory;

use wasmtime::{Linker, Result};

use crate::engine::ProcessState;

/// Adds the import module `wasi_snapshot_preview1`.
pub(crate) fn add_to_linker(_linker: &mut Linker<ProcessState>) -> Result<()> {
    Ok(())
}
