//! Random bytes for ids.

use sandbox_core::{Error, ErrorKind, Result};

/// Sixteen bytes nobody can guess.
///
/// # Errors
/// `Unavailable` when the host has none.
pub(crate) fn bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        let message = "the host's source of randomness does not answer";
        Error::new(ErrorKind::Unavailable, "wasm.random", message)
            .with_source(std::io::Error::other(e))
    })?;
    Ok(bytes)
}
