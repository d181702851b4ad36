//! The task that follows one process, over as many connections as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandbox_api_types::{AttachQuery, ProcessRef};
use sandbox_core::{Error, ErrorKind, ExitStatus, ProcessEvent, Result};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::again;
use super::stdin::StdinPipe;
use crate::{AttachmentEvent, AttachmentOutput, SandboxCalls};

/// The first pause between tries to reach a process again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// An event with its number.
pub(super) type Numbered = Result<(u64, ProcessEvent)>;

/// How a process ended, or why nobody can tell.
pub(super) type End = Option<Result<ExitStatus, Arc<Error>>>;

/// What the task and the handles of one process share.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) calls: SandboxCalls,
    pub(super) process: ProcessRef,
    pub(super) stdin: StdinPipe,
    pub(super) end: watch::Sender<End>,
    /// The number after the last piece that a reader took.
    pub(super) read_to: AtomicU64,
    pub(super) patience: Duration,
}

/// The task.
pub(super) struct Follower {
    pub(super) link: Arc<Link>,
    pub(super) output: AttachmentOutput,
    /// Where events go; none once nobody reads them.
    pub(super) events: Option<mpsc::Sender<Numbered>>,
    pub(super) stop: CancellationToken,
    /// The number after the last that came.
    pub(super) next: u64,
    /// Whether a gap is a loss: not when it is what was thrown away before anybody asked.
    pub(super) begun: bool,
}

/// What to do after an event.
enum Then {
    GoOn,
    Reconnect,
    Stop,
}

impl Follower {
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = self.follow() => {}
            () = stop.cancelled() => {}
        }
        self.link.stdin.detach().await;
    }

    async fn follow(&mut self) {
        loop {
            let then = match self.output.next().await {
                Ok(Some(event)) => self.take(event).await,
                Ok(None) if self.has_ended() => Then::Stop,
                // The server shuts down, or stopped watching.
                Ok(None) => Then::Reconnect,
                Err(error) if is_passing(&error) => Then::Reconnect,
                Err(error) => self.fail(error).await,
            };
            match then {
                Then::GoOn => {}
                Then::Stop => return,
                Then::Reconnect => match self.reconnect().await {
                    Ok(output) => self.output = output,
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        self.lose().await;
                        return;
                    }
                    Err(error) => {
                        self.fail(error).await;
                        return;
                    }
                },
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.link.end.borrow().is_some()
    }

    async fn take(&mut self, event: AttachmentEvent) -> Then {
        match event {
            AttachmentEvent::Output { seq, .. } | AttachmentEvent::Exited { seq, .. }
                if seq < self.next => {}
            AttachmentEvent::Output { seq, stream, data } => {
                self.next = seq.saturating_add(1);
                self.begun = true;
                self.tell(Ok((seq, ProcessEvent::Output(stream, data))))
                    .await;
            }
            AttachmentEvent::Exited { seq, status } => {
                self.next = seq.saturating_add(1);
                self.exited(seq, status).await;
            }
            // What was thrown away before anybody asked is no loss of this reader.
            AttachmentEvent::Gap { to, .. } if !self.begun => {
                self.next = self.next.max(to.saturating_add(1));
            }
            AttachmentEvent::Gap { from, to } => {
                self.next = self.next.max(to.saturating_add(1));
                self.tell(Err(lost_output(from, to))).await;
                self.events = None;
            }
            AttachmentEvent::StdinTaken { bytes } => self.link.stdin.taken(bytes),
            AttachmentEvent::Refused(error) => self.link.stdin.refused(error),
        }
        // Nobody waits for its end, and nobody reads.
        match self.events.is_none() && self.has_ended() {
            true => Then::Stop,
            false => Then::GoOn,
        }
    }

    async fn exited(&mut self, seq: u64, status: ExitStatus) {
        self.link.end.send_replace(Some(Ok(status)));
        self.link.stdin.ended();
        self.tell(Ok((seq, ProcessEvent::Exited(status)))).await;
    }

    /// Tells the reader; waits while it does not read.
    async fn tell(&mut self, event: Numbered) {
        if let Some(events) = &self.events
            && events.send(event).await.is_err()
        {
            self.events = None;
        }
    }

    /// The end of a process that is gone with all that was known of it.
    async fn lose(&mut self) {
        if !self.has_ended() {
            self.exited(self.next, ExitStatus::lost()).await;
        }
    }

    async fn fail(&mut self, error: Error) -> Then {
        if !self.has_ended() {
            let kept = Arc::new(again(&error));
            self.link.end.send_replace(Some(Err(kept)));
        }
        self.link.stdin.disconnected().await;
        self.tell(Err(error)).await;
        Then::Stop
    }

    /// Attaches again, behind what came before.
    async fn reconnect(&mut self) -> Result<AttachmentOutput> {
        self.begun = true;
        self.link.stdin.disconnected().await;
        let until = Instant::now() + self.link.patience;
        let query = AttachQuery {
            from: self.next,
            paced: true,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let attached = self.link.calls.attach_process(&self.link.process, query);
            match attached.await {
                Ok(attachment) => {
                    let (input, output) = attachment.split();
                    self.link.stdin.reconnected(input).await;
                    return Ok(output);
                }
                Err(error) if is_passing(&error) && Instant::now() < until => {
                    tracing::debug!(%error, process = %self.link.process, "not reached yet");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

fn lost_output(from: u64, to: u64) -> Error {
    let pieces = to.saturating_sub(from).saturating_add(1);
    let message = format!("{pieces} pieces of output are no longer kept");
    Error::new(ErrorKind::LimitExceeded, "remote.output", message)
}

impl Link {
    /// Waits for the end.
    pub(super) async fn wait(&self) -> Result<ExitStatus> {
        let mut end = self.end.subscribe();
        let ended = end.wait_for(Option::is_some).await;
        match ended.ok().and_then(|end| end.clone()) {
            Some(Ok(status)) => Ok(status),
            Some(Err(error)) => Err(again(&error)),
            None => {
                let message = "the process is no longer followed";
                Err(Error::new(ErrorKind::Unavailable, "remote.wait", message))
            }
        }
    }

    /// Notes that a reader took everything up to `seq`.
    pub(super) fn was_read(&self, seq: u64) {
        let next = seq.saturating_add(1);
        self.read_to.fetch_max(next, Ordering::Relaxed);
    }

    /// Whether the process is known to have ended.
    pub(super) fn has_ended(&self) -> bool {
        matches!(&*self.end.borrow(), Some(Ok(_)))
    }
}
