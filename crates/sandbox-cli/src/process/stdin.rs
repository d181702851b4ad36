//! Standard input on its way into a sandbox.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_core::{ErrorKind, Process, Result};
use tokio::io::AsyncReadExt;

/// How much is read at once.
const CHUNK: usize = 32 << 10;

/// Gives `process` what standard input has, and its end. A process that takes nothing more is no
/// error.
///
/// # Errors
/// What giving it fails with.
pub(super) async fn feed(process: Arc<dyn Process>, is_terminal: bool) -> Result<()> {
    let fed = async {
        let mut input = tokio::io::stdin();
        loop {
            let mut buffer = vec![0; CHUNK];
            // A terminal that is gone reads as an error; for the process it is the end.
            let read = input.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            buffer.truncate(read);
            process.write_stdin(Bytes::from(buffer)).await?;
        }
        match is_terminal {
            // A terminal has no end of input of its own; the key for it is ^D.
            true => process.write_stdin(Bytes::from_static(b"\x04")).await,
            false => process.close_stdin().await,
        }
    };
    match fed.await {
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(()),
        other => other,
    }
}
