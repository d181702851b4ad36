//! Processes.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use sandbox_core::{
    BoxStream, Command, Error, ErrorKind, ExitStatus, Pid, Process, ProcessEvent, PtySize, Result,
    Signal, Stdin,
};

use super::channel::Channel;
use super::guard::ChannelGuard;
use super::{Session, nonsense};
use crate::protocol::{Reply, Request, Tag};

/// A process, as all its handles and its events share it.
#[derive(Debug)]
pub(crate) struct Shared {
    channel: ChannelGuard,
    pid: Pid,
    pty: bool,
    /// Whether it was ever given input.
    input: bool,
    events_taken: AtomicBool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let processes = &self.channel.session().processes;
        let mut processes = processes.lock().unwrap_or_else(PoisonError::into_inner);
        // A younger process may have the id by now.
        if processes
            .get(&self.pid)
            .is_some_and(|one| one.strong_count() == 0)
        {
            processes.remove(&self.pid);
        }
    }
}

pub(super) async fn spawn(session: &Arc<Session>, command: Command) -> Result<Arc<dyn Process>> {
    let operation = "agent.spawn";
    let pty = command.pty.is_some();
    let input = pty || command.stdin == Stdin::Piped;
    let request = Request::Spawn(command);
    let channel = ChannelGuard::open_stream(session, operation, &request).await?;
    match channel.reply().await? {
        Reply::Spawned { pid } => Ok(share(channel, pid, pty, input)),
        _ => Err(nonsense(operation)),
    }
}

pub(super) async fn attach(session: &Arc<Session>, pid: Pid) -> Result<Arc<dyn Process>> {
    let operation = "agent.attach";
    // Whoever attaches second takes the process from the first, who would wait for ever.
    let _turn = session.attaching.lock().await;
    if let Some(shared) = known(session, pid) {
        return Ok(Arc::new(Handle(shared)));
    }
    let request = Request::Attach { pid };
    let channel = ChannelGuard::open_stream(session, operation, &request).await?;
    match channel.reply().await? {
        Reply::Attached(attached) => {
            let input = attached.pty || attached.input_open || attached.input > 0;
            Ok(share(channel, pid, attached.pty, input))
        }
        _ => Err(nonsense(operation)),
    }
}

fn known(session: &Session, pid: Pid) -> Option<Arc<Shared>> {
    let processes = session.processes.lock();
    let processes = processes.unwrap_or_else(PoisonError::into_inner);
    processes.get(&pid).and_then(std::sync::Weak::upgrade)
}

fn share(channel: ChannelGuard, pid: Pid, pty: bool, input: bool) -> Arc<dyn Process> {
    let session = Arc::clone(channel.session());
    let shared = Arc::new(Shared {
        channel,
        pid,
        pty,
        input,
        events_taken: AtomicBool::new(false),
    });
    let processes = session.processes.lock();
    let mut processes = processes.unwrap_or_else(PoisonError::into_inner);
    processes.insert(pid, Arc::downgrade(&shared));
    Arc::new(Handle(shared))
}

/// A caller's handle.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Handle {
    fn conflict(&self, operation: &'static str, message: &str) -> Error {
        Error::new(ErrorKind::Conflict, operation, message)
    }

    fn has_ended(&self) -> bool {
        let channel = &self.0.channel;
        let shared = &channel.session().shared;
        shared
            .with(channel.number, |channel| {
                channel.exit.is_some() || channel.lost
            })
            .unwrap_or(true)
    }

    async fn ask(&self, operation: &'static str, request: Request) -> Result<()> {
        let session = self.0.channel.session();
        let channel = ChannelGuard::open(session, operation, &request).await?;
        match channel.reply().await? {
            Reply::Done => Ok(()),
            _ => Err(nonsense(operation)),
        }
    }
}

#[async_trait]
impl Process for Handle {
    fn pid(&self) -> Pid {
        self.0.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        if self.0.events_taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Box::pin(Events {
            shared: Arc::clone(&self.0),
            exited: false,
            ended: false,
        }))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        let operation = "process.write_stdin";
        if !self.0.input || self.has_ended() {
            return Err(self.conflict(operation, "the process's input is not open"));
        }
        let sent = self.0.channel.send(Tag::Bytes, data).await;
        sent.map_err(|error| match error.kind() {
            ErrorKind::Conflict => self.conflict(operation, "the process's input is not open"),
            _ => error,
        })
    }

    async fn close_stdin(&self) -> Result<()> {
        let operation = "process.close_stdin";
        if self.0.pty {
            let message = "a terminal's input does not close; send ^D";
            return Err(self.conflict(operation, message));
        }
        if !self.0.input {
            return Err(self.conflict(operation, "the process was started without input"));
        }
        self.0.channel.end();
        Ok(())
    }

    async fn wait(&self) -> Result<ExitStatus> {
        self.0.channel.poll(exit_of).await
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        let operation = "process.signal";
        if self.has_ended() {
            let message = "the process has ended";
            return Err(Error::new(ErrorKind::NotFound, operation, message).with_field("pid"));
        }
        let process = self.0.channel.number;
        self.ask(operation, Request::SignalGroup { process, signal })
            .await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let operation = "process.resize";
        if !self.0.pty {
            return Err(self.conflict(operation, "the process has no terminal"));
        }
        let process = self.0.channel.number;
        self.ask(operation, Request::Resize { process, size }).await
    }
}

fn exit_of(channel: &mut Channel) -> Option<ExitStatus> {
    channel.exit.or(channel.lost.then(ExitStatus::lost))
}

/// The events of a process.
struct Events {
    shared: Arc<Shared>,
    exited: bool,
    ended: bool,
}

impl Stream for Events {
    type Item = Result<ProcessEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let operation = self.shared.channel.operation;
        let record = match self.shared.channel.poll_record(context) {
            Poll::Ready(record) => record,
            Poll::Pending => return Poll::Pending,
        };
        let event = match record {
            Ok((Tag::Output(stream), data)) => Ok(ProcessEvent::Output(stream, data)),
            Ok((Tag::Exit, data)) if !self.exited => {
                self.exited = true;
                serde_json::from_slice(&data)
                    .map(ProcessEvent::Exited)
                    .map_err(|_| nonsense(operation))
            }
            Ok((Tag::End, _)) => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Ok((Tag::Bytes | Tag::Exit, _)) => Err(nonsense(operation)),
            Err(_) if self.is_lost() => {
                self.ended = true;
                return Poll::Ready(
                    (!self.exited).then(|| Ok(ProcessEvent::Exited(ExitStatus::lost()))),
                );
            }
            Err(error) => Err(error),
        };
        self.ended |= event.is_err();
        Poll::Ready(Some(event))
    }
}

impl Events {
    fn is_lost(&self) -> bool {
        let channel = &self.shared.channel;
        let lost = channel
            .session()
            .shared
            .with(channel.number, |channel| channel.lost);
        lost.unwrap_or(false)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.channel.discard();
    }
}
