//! `sandbox_v0`: what programs can import beyond WASI, over the kernel.
//!
//! Every function answers a preview 1 error number, 0 for success, and gives results through
//! pointers. A call that fails has written nothing and left nothing behind.

mod descriptors;
mod files;
mod process;
mod request;
mod signals;
mod sockets;
mod system;

use wasmtime::{Caller, Linker, Result};

use crate::engine::ProcessState;
use crate::kernel::{self, Errno};
use crate::wasi::memory::Guest;

/// The name of the import module.
pub(crate) const MODULE: &str = "sandbox_v0";

/// Adds the import module.
pub(crate) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    descriptors::add_to_linker(linker)?;
    files::add_to_linker(linker)?;
    process::add_to_linker(linker)?;
    signals::add_to_linker(linker)?;
    sockets::add_to_linker(linker)?;
    system::add_to_linker(linker)
}

/// Runs a call that does not wait; its error number.
fn call(
    mut caller: Caller<'_, ProcessState>,
    body: impl FnOnce(&mut Guest<'_>, &ProcessState) -> kernel::Result<()>,
) -> i32 {
    let result = Guest::split(&mut caller).and_then(|(mut guest, state)| body(&mut guest, state));
    Errno::answer(result)
}

/// Gives `bytes` whole when they fit into the buffer, and their length in any case: `RANGE` when
/// they do not fit.
fn give(
    guest: &mut Guest<'_>,
    bytes: &[u8],
    (buffer, length): (u32, u32),
    length_out: u32,
) -> kernel::Result<()> {
    let needed = u32::try_from(bytes.len()).map_err(|_| Errno::OVERFLOW)?;
    let fits = needed <= length;
    if fits {
        guest.bytes(buffer, needed)?;
    }
    guest.write_u32(length_out, needed)?;
    if !fits {
        return Err(Errno::RANGE);
    }
    guest.write(buffer, bytes)
}
