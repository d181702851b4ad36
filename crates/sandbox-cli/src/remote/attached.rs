//! A process on a server, attached to.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use sandbox_api_types::{AttachQuery, ProcessRef, StartProcess};
use sandbox_client::{
    Attachment, AttachmentEvent, AttachmentInput, AttachmentOutput, SandboxCalls,
};
use sandbox_core::{
    BoxStream, Command, Error, ErrorKind, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result,
    Signal,
};
use tokio::sync::Mutex;

/// A process of a sandbox of a server. Its output waits for whoever reads it here, so that a slow
/// terminal loses none of it; when this program is gone, the process goes on.
#[derive(Debug)]
pub(crate) struct AttachedProcess {
    calls: SandboxCalls,
    id: ProcessRef,
    pid: Pid,
    input: Mutex<AttachmentInput>,
    output: std::sync::Mutex<Option<AttachmentOutput>>,
}

impl AttachedProcess {
    /// Starts `command`.
    ///
    /// # Errors
    /// What the server refuses it with.
    pub(crate) async fn start(calls: SandboxCalls, command: Command) -> Result<Self> {
        command.validate()?;
        let request = StartProcess::from_core(command, None);
        let query = AttachQuery {
            paced: true,
            ..AttachQuery::default()
        };
        let attachment = calls.start_attached(request, query).await?;
        Ok(Self::new(calls, attachment))
    }

    fn new(calls: SandboxCalls, attachment: Attachment) -> Self {
        let process = attachment.process();
        let (id, pid) = (ProcessRef::Id(process.id.clone()), process.pid);
        let (input, output) = attachment.split();
        Self {
            calls,
            id,
            pid,
            input: Mutex::new(input),
            output: std::sync::Mutex::new(Some(output)),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Process for AttachedProcess {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        // Nothing below the lock can panic.
        let output = match self.output.lock() {
            Ok(mut output) => output.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        let events = stream::try_unfold(output?, |mut output| async move {
            let event = next(&mut output).await?;
            Ok(event.map(|event| (event, output)))
        });
        Some(Box::pin(events))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.input.lock().await.write(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.input.lock().await.close_stdin().await
    }

    async fn wait(&self) -> Result<ExitStatus> {
        let process = self.calls.wait_process(&self.id, None).await?;
        match process.exit {
            Some(exit) => exit.try_into(),
            None => {
                let message = "the server says that the process ended, and not how";
                Err(Error::new(ErrorKind::Internal, "cli.wait", message))
            }
        }
    }

    /// Not over the attachment, whose input may be stuck: a process that reads nothing can be
    /// killed all the same.
    async fn signal(&self, signal: Signal) -> Result<()> {
        self.calls.signal_process(&self.id, signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        self.calls.resize_process(&self.id, size).await
    }
}

async fn next(output: &mut AttachmentOutput) -> Result<Option<ProcessEvent>> {
    loop {
        match output.next().await? {
            None => return Ok(None),
            Some(AttachmentEvent::Output { stream, data, .. }) => {
                return Ok(Some(ProcessEvent::Output(stream, data)));
            }
            Some(AttachmentEvent::Exited { status, .. }) => {
                return Ok(Some(ProcessEvent::Exited(status)));
            }
            Some(AttachmentEvent::Gap { from, to }) => {
                let message = format!("the server lost output {from} to {to} of the process");
                return Err(Error::new(ErrorKind::Internal, "cli.attach", message));
            }
            // Input that the process does not take any more is no error.
            Some(_) => {}
        }
    }
}
