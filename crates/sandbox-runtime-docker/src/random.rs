//! Randomness from the system, for names nobody may guess or hit twice.

use sandbox_core::{Error, ErrorKind, Result};

/// 16 bytes.
pub(crate) fn bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(
            ErrorKind::Internal,
            "docker.random",
            "the system gives no randomness",
        )
        .with_source(e)
    })?;
    Ok(bytes)
}

/// 32 hexadecimal digits.
pub(crate) fn token() -> Result<String> {
    let number = u128::from_be_bytes(bytes()?);
    Ok(format!("{number:032x}"))
}
