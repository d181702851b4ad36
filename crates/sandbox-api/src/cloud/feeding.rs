//! Input on its way to a process whose request waits for it.

use sandbox_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Gives a process its input, in a task of its own: input that came only in part, because the
/// client left, would change what the command does. Dropping this changes nothing.
#[derive(Debug, Default)]
pub(super) struct Feeding(Option<JoinHandle<Result<()>>>);

impl Feeding {
    /// Begins `work`, which ends when the process has the input or does not want it.
    pub(super) fn begin(work: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(work.in_current_span())))
    }

    /// Waits for it to fail; for ever when it does not. Dropping the future loses nothing.
    pub(super) async fn failed(&mut self) -> Error {
        if let Some(task) = &mut self.0 {
            let fed = task.await;
            self.0 = None;
            match fed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(e) => {
                    let message = "the input could not be given to the process";
                    return Error::new(ErrorKind::Internal, "process.feed", message).with_source(e);
                }
            }
        }
        std::future::pending().await
    }
}
