//! Where the host functions come together.

use wasmtime::{Engine, Linker, Result};

use super::ProcessState;

/// Everything that a preview 1 module can import. Each part of the ABI adds its own here.
pub(super) fn linker(engine: &Engine) -> Result<Linker<ProcessState>> {
    let mut linker = Linker::new(engine);
    crate::wasi::add_to_linker(&mut linker)?;
    crate::abi::add_to_linker(&mut linker)?;
    Ok(linker)
}
