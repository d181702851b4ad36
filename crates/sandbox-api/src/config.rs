//! What the API can be told about itself.

use std::sync::Arc;

use sandbox_engine::idempotency::{Idempotency, IdempotencyLimits, MemoryIdempotency};
use tokio_util::sync::CancellationToken;

/// Limits and times of the API. The defaults suit a server on one machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The largest JSON body in bytes. Default: 1 MiB.
    pub max_json_bytes: u64,
    /// The largest file that is uploaded in one request, in bytes. Default: 100 MB (100,000,000).
    pub max_file_bytes: u64,
    /// Where idempotency keys and the answers to them are kept. Default: in memory, gone with the
    /// process.
    pub idempotency: Idempotency,
    /// Cancelled when the server shuts down: streams then end. Default: one that nobody cancels.
    pub shutdown: CancellationToken,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            max_json_bytes: 1 << 20,
            max_file_bytes: 100_000_000,
            idempotency: Idempotency::new(
                Arc::new(MemoryIdempotency::default()),
                IdempotencyLimits::default(),
            ),
            shutdown: CancellationToken::new(),
        }
    }
}
