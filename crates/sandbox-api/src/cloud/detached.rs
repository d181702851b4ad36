//! Work that a client which leaves does not interrupt.

use sandbox_core::{Error, ErrorKind, Result};
use tracing::Instrument;

/// Runs `work` to its end. When this future is dropped, because the client left, the work goes on:
/// a process that was being started is started whole, and watched.
///
/// # Errors
/// What the work fails with; `Internal` when it panics.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(e) => {
            let message = "the work of a request broke off";
            Err(Error::new(ErrorKind::Internal, "api.detached", message).with_source(e))
        }
    }
}
