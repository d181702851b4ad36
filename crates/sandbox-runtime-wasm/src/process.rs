//! Processes that the host started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{
    BoxStream, Error, ErrorKind, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result, Signal,
};

use crate::jobs::{Interest, Job, Jobs};

/// A handle on a process; any number of them may be on one.
#[derive(Debug)]
pub(crate) struct WasmProcess {
    job: Arc<Job>,
    jobs: Arc<Jobs>,
    /// Whether its stream was asked for.
    streamed: AtomicBool,
    /// Held until the stream is asked for, which holds one of its own.
    interest: crate::lock::Lock<Option<Interest>>,
}

impl WasmProcess {
    pub(crate) fn new(job: Arc<Job>, jobs: Arc<Jobs>) -> Self {
        let interest = Interest::of(&job);
        Self {
            job,
            jobs,
            streamed: AtomicBool::new(false),
            interest: crate::lock::Lock::new(Some(interest)),
        }
    }
}

/// What is over, and nobody holds, is forgotten.
impl Drop for WasmProcess {
    fn drop(&mut self) {
        self.jobs.forget_if_ended(&self.job);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for WasmProcess {
    fn pid(&self) -> Pid {
        self.job.host.pid()
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        if self.streamed.swap(true, Ordering::Relaxed) {
            return None;
        }
        let interest = self.interest.lock().take()?;
        Some(Box::pin(futures_util::stream::unfold(
            interest,
            async |interest| {
                let event = interest.next().await?;
                Some((Ok(event), interest))
            },
        )))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.job.host.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        if !self.job.piped {
            let message = "the process has no piped input";
            return Err(Error::new(ErrorKind::Conflict, "wasm.close_stdin", message));
        }
        self.job.host.close_stdin();
        Ok(())
    }

    async fn wait(&self) -> Result<ExitStatus> {
        Ok(self.job.host.wait().await)
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        self.job.host.signal(signal)
    }

    async fn resize(&self, _size: PtySize) -> Result<()> {
        let message = "the process has no terminal";
        Err(Error::new(ErrorKind::Conflict, "wasm.resize", message))
    }
}
