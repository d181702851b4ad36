//! A process with one defect.

use std::fmt;
use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_core::{
    BoxStream, Error, ErrorKind, Exit, ExitStatus, KillCause, OutputStream, Pid, Process,
    ProcessEvent, PtySize, Result, Sandbox, Signal,
};

use super::Sabotage;

/// Where output and input are cut.
const CUT: usize = 64 << 10;

pub(super) struct BentProcess {
    how: Sabotage,
    inner: Arc<dyn Process>,
    sandbox: Arc<dyn Sandbox>,
    timed_out: Arc<AtomicBool>,
    waited: AtomicBool,
}

impl fmt::Debug for BentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BentProcess").field(&self.how).finish()
    }
}

impl BentProcess {
    pub(super) fn new(how: Sabotage, inner: Arc<dyn Process>, sandbox: Arc<dyn Sandbox>) -> Self {
        Self {
            how,
            inner,
            sandbox,
            timed_out: Arc::default(),
            waited: AtomicBool::new(false),
        }
    }

    /// A time limit that does not know of other sessions.
    pub(super) fn kill_group_after(&self, limit: Duration) {
        let (inner, timed_out) = (Arc::clone(&self.inner), Arc::clone(&self.timed_out));
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            timed_out.store(true, Ordering::SeqCst);
            // It may have ended in time.
            let _ = inner.signal(Signal::KILL).await;
        });
    }

    fn bend(how: Sabotage, timed_out: &AtomicBool, mut status: ExitStatus) -> ExitStatus {
        if how == Sabotage::LosesExitCodes {
            status.exit = Exit::Code(0);
        }
        if timed_out.load(Ordering::SeqCst) {
            status.cause = Some(KillCause::Timeout);
        }
        status
    }
}

#[async_trait]
impl Process for BentProcess {
    fn pid(&self) -> Pid {
        self.inner.pid()
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let events = self.inner.events()?;
        let (how, timed_out) = (self.how, Arc::clone(&self.timed_out));
        let mut passed = 0;
        let bent = events.filter_map(move |event| {
            let bent = match event {
                Ok(ProcessEvent::Output(stream, data)) => {
                    passed += data.len();
                    let stream = match (how, stream) {
                        (Sabotage::MixesStreams, OutputStream::Stderr) => OutputStream::Stdout,
                        (_, stream) => stream,
                    };
                    let cut = how == Sabotage::CutsOutput && passed > CUT;
                    (!cut).then_some(Ok(ProcessEvent::Output(stream, data)))
                }
                Ok(ProcessEvent::Exited(status)) => {
                    let status = Self::bend(how, &timed_out, status);
                    Some(Ok(ProcessEvent::Exited(status)))
                }
                Err(error) => Some(Err(error)),
            };
            future::ready(bent)
        });
        if how != Sabotage::AnswersWhenTheOutputEnds {
            return Some(Box::pin(bent));
        }
        let held = async move {
            let all: Vec<_> = bent.collect().await;
            let (exits, mut output): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|event| matches!(event, Ok(ProcessEvent::Exited(_))));
            output.extend(exits);
            stream::iter(output)
        };
        Some(Box::pin(stream::once(held).flatten()))
    }

    async fn write_stdin(&self, mut data: Bytes) -> Result<()> {
        if self.how == Sabotage::CutsInput {
            data.truncate(CUT);
        }
        self.inner.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.inner.close_stdin().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        if self.how == Sabotage::WaitsOnce && self.waited.swap(true, Ordering::SeqCst) {
            let message = "somebody waited already";
            return Err(Error::new(ErrorKind::Internal, "bent.wait", message));
        }
        let status = self.inner.wait().await?;
        Ok(Self::bend(self.how, &self.timed_out, status))
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        match self.how {
            Sabotage::SignalsOneProcess => self.sandbox.signal(self.pid(), signal).await,
            _ => self.inner.signal(signal).await,
        }
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        match self.how {
            Sabotage::NeverResizes => Ok(()),
            _ => self.inner.resize(size).await,
        }
    }
}
