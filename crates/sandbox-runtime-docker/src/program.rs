//! Our own program, for the inside of containers.

use sha2::{Digest, Sha256};

/// The static program that is agent and holder.
pub(crate) static PROGRAM: &[u8] = include_bytes!(env!("SANDBOX_AGENT_EMBEDDED"));

/// The architecture it is for, as daemons name theirs.
pub(crate) const ARCHITECTURE: &str = "x86_64";

/// 16 hexadecimal digits of the program's SHA-256: what is kept on a daemon is named by it, so
/// that two versions never share anything.
pub(crate) fn hash() -> String {
    let digest = Sha256::digest(PROGRAM);
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
