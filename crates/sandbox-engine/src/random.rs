//! Randomness for ids that cannot be guessed.

use sandbox_core::{Error, ErrorKind, Result};

/// 16 bytes from the system's source.
pub(crate) fn bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        let message = "the system's source of randomness does not answer";
        Error::new(ErrorKind::Unavailable, "engine.random", message).with_source(e)
    })?;
    Ok(bytes)
}
