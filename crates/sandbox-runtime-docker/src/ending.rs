//! Processes whose sandbox may end under them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, Error, ErrorKind, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result, Signal,
};

/// A process that is lost, and not an error, when its sandbox is gone.
#[derive(Debug)]
pub(crate) struct Ending(pub(crate) Arc<dyn Process>);

fn lost_with_its_sandbox(error: Error) -> Result<ExitStatus> {
    match error.kind() {
        ErrorKind::NotFound => Ok(ExitStatus::lost()),
        _ => Err(error),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for Ending {
    fn pid(&self) -> Pid {
        self.0.pid()
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let events = self.0.events()?;
        let mut ended = false;
        Some(Box::pin(events.filter_map(move |event| {
            let event = match event {
                Ok(event) => {
                    ended |= matches!(event, ProcessEvent::Exited(_));
                    Some(Ok(event))
                }
                // What it left behind went with it, after its own end was told.
                Err(error) if ended && error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    ended = true;
                    Some(lost_with_its_sandbox(error).map(ProcessEvent::Exited))
                }
            };
            std::future::ready(event)
        })))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.0.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.0.close_stdin().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        self.0.wait().await.or_else(lost_with_its_sandbox)
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        self.0.signal(signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        self.0.resize(size).await
    }
}
