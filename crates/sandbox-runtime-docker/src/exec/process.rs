//! A command as a `docker exec`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, Command, Error, ErrorKind, Exit, ExitStatus, OutputStream, Pid, Process,
    ProcessEvent, PtySize, Result, Signal, Stdin,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

use super::files::no_more_processes;
use super::scripts::LAUNCH;
use super::session::{Input, Output, Running, Session, Start};
use crate::context::Context;
use crate::error::nonsense;

/// Chunks on their way to a reader; a reader that stops stops the process behind these.
const CHUNKS: usize = 16;
/// The longest first line of `LAUNCH` in bytes.
const MAX_HEADER: usize = 64;

/// How often, and how far apart, it is looked whether a killed process died with its sandbox: the
/// daemon notes the end of the sandbox a little later.
const END_CHECKS: u32 = 3;
const END_CHECK: Duration = Duration::from_millis(60);

pub(super) async fn spawn(
    session: &Session,
    context: &Context,
    command: Command,
) -> Result<Arc<dyn Process>> {
    let piped = command.stdin == Stdin::Piped;
    let mut running = session.start(start(context, &command, piped)).await?;
    let launched = launched(&mut running).await?;
    let Running { id, output, input } = running;
    let (events, receiver) = mpsc::channel(CHUNKS);
    let (ended, status) = watch::channel(None);
    let input = Arc::new(AsyncMutex::new(piped.then_some(input)));
    let pump = Pump {
        session: session.clone(),
        exec: id,
        events: Some(events),
        ended,
        input: Arc::clone(&input),
    };
    let pid = launched.pid;
    tokio::spawn(pump.run(launched, output));
    Ok(Arc::new(ExecProcess {
        pid,
        piped,
        input,
        events: Mutex::new(Some(receiver)),
        status,
    }))
}

fn start(context: &Context, command: &Command, stdin: bool) -> Start {
    let head = ["/bin/sh", "-c", LAUNCH, "sh"].map(str::to_owned);
    let mut argv = Vec::from(head);
    argv.push(context.workdir(command).as_str().to_owned());
    argv.extend(command.to_argv());
    let user = command.user.as_ref().map(|user| user.as_str());
    Start {
        argv,
        env: context.env(command),
        user: user.unwrap_or(context.user()).to_owned(),
        stdin,
    }
}

/// A command that runs, and what it wrote while that was found out.
struct Launched {
    pid: Pid,
    stdout: Bytes,
    stderr: Bytes,
}

/// Reads the launcher's first line: the process's id, or why there is no process.
async fn launched(running: &mut Running) -> Result<Launched> {
    let mut seen = BytesMut::new();
    let mut said = BytesMut::new();
    while let Some(chunk) = running.output.next().await {
        let (stream, data) = chunk?;
        if stream != OutputStream::Stdout {
            said.extend_from_slice(&data);
            continue;
        }
        seen.extend_from_slice(&data);
        let ours = matches!(seen.first(), Some(b'S' | b'E'));
        if let Some(end) = seen.iter().position(|byte| *byte == b'\n')
            && ours
        {
            let line = seen.split_to(end);
            return Ok(Launched {
                pid: verdict(&line)?,
                stdout: seen.freeze().slice(1..),
                // The two streams overtake each other.
                stderr: said.freeze(),
            });
        }
        if ours && seen.len() > MAX_HEADER {
            break;
        }
    }
    said.extend_from_slice(&seen);
    Err(not_started(&String::from_utf8_lossy(&said)))
}

fn verdict(line: &[u8]) -> Result<Pid> {
    let refuse = |kind, field, message: &str| {
        Err(Error::new(kind, "docker.spawn", message).with_field(field))
    };
    match line {
        b"Ecwd" => refuse(ErrorKind::NotFound, "cwd", "there is no such directory"),
        b"Emissing" => refuse(ErrorKind::NotFound, "command", "there is no such program"),
        b"Edenied" => refuse(ErrorKind::PermissionDenied, "command", "may not be run"),
        line => std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.strip_prefix('S'))
            .and_then(|pid| pid.parse().ok())
            .ok_or_else(|| nonsense("docker.spawn", "the launcher answers in an unknown form")),
    }
}

/// What the daemon or the low-level runtime said instead of starting the launcher.
fn not_started(said: &str) -> Error {
    let said = said.trim();
    if said.contains("unable to find user") || said.contains("unable to find group") {
        return Error::new(ErrorKind::NotFound, "docker.spawn", "there is no such user")
            .with_field("user");
    }
    if no_more_processes(said) {
        let message = "there may be no more processes";
        return Error::new(ErrorKind::LimitExceeded, "docker.spawn", message)
            .with_field("resources.pids");
    }
    nonsense(
        "docker.spawn",
        format!("the launcher did not start: {said}"),
    )
}

/// Carries output from the daemon to whoever reads it, to the end, reader or not.
struct Pump {
    session: Session,
    exec: String,
    events: Option<mpsc::Sender<Result<ProcessEvent>>>,
    ended: watch::Sender<Option<Result<ExitStatus, Arc<Error>>>>,
    input: Arc<AsyncMutex<Option<Input>>>,
}

impl Pump {
    async fn run(mut self, launched: Launched, mut output: Output) {
        for (stream, data) in [
            (OutputStream::Stdout, launched.stdout),
            (OutputStream::Stderr, launched.stderr),
        ] {
            if !data.is_empty() {
                self.send(Ok(ProcessEvent::Output(stream, data))).await;
            }
        }
        let mut failed = None;
        while let Some(chunk) = output.next().await {
            match chunk {
                Ok((stream, data)) if !data.is_empty() => {
                    self.send(Ok(ProcessEvent::Output(stream, data))).await;
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        let ended = match failed {
            Some(error) => Err(error),
            None => self.ended().await,
        };
        // A sandbox that went away takes its processes with it.
        let ended = match ended {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(ExitStatus::lost()),
            other => other,
        };
        if let Ok(mut input) = self.input.try_lock() {
            input.take();
        }
        match ended {
            Ok(status) => {
                self.ended.send_replace(Some(Ok(status)));
                self.send(Ok(ProcessEvent::Exited(status))).await;
            }
            Err(error) => {
                let error = Arc::new(error);
                self.ended.send_replace(Some(Err(Arc::clone(&error))));
                self.send(Err(repeat(&error))).await;
            }
        }
    }

    async fn ended(&self) -> Result<ExitStatus> {
        let ended = status(self.session.exit_code(&self.exec).await?);
        // The end of a sandbox kills what runs in it, which says nothing about the process itself.
        if ended.exit == Exit::Signal(Signal::KILL) {
            for _ in 0..END_CHECKS {
                tokio::time::sleep(END_CHECK).await;
                if !self.session.is_running().await? {
                    return Ok(ExitStatus::lost());
                }
            }
        }
        Ok(ended)
    }

    async fn send(&mut self, event: Result<ProcessEvent>) {
        if let Some(events) = &self.events
            && events.send(event).await.is_err()
        {
            self.events = None;
        }
    }
}

/// An error said to a second listener.
fn repeat(error: &Arc<Error>) -> Error {
    Error::new(error.kind(), error.operation(), error.message()).with_source(Arc::clone(error))
}

/// Docker tells the code a shell would: above 128, a signal killed it. A program that itself
/// returns such a code cannot be told apart.
fn status(code: i64) -> ExitStatus {
    let signal = i32::try_from(code - 128)
        .ok()
        .filter(|n| (1..=31).contains(n));
    match signal.and_then(|number| Signal::new(number).ok()) {
        Some(signal) => ExitStatus::from_signal(signal),
        None => ExitStatus::from_code(u8::try_from(code).unwrap_or(u8::MAX)),
    }
}

struct ExecProcess {
    pid: Pid,
    piped: bool,
    input: Arc<AsyncMutex<Option<Input>>>,
    events: Mutex<Option<mpsc::Receiver<Result<ProcessEvent>>>>,
    status: watch::Receiver<Option<Result<ExitStatus, Arc<Error>>>>,
}

impl fmt::Debug for ExecProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecProcess")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

fn not_open() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "docker.stdin",
        "standard input is not open",
    )
}

#[async_trait]
impl Process for ExecProcess {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let mut slot = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = slot.take()?;
        Some(Box::pin(futures_util::stream::unfold(
            receiver,
            async |mut receiver| {
                let event = receiver.recv().await?;
                Some((event, receiver))
            },
        )))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        if self.status.borrow().is_some() {
            return Err(not_open());
        }
        let mut status = self.status.clone();
        let mut input = self.input.lock().await;
        let open = input.as_mut().ok_or_else(not_open)?;
        let written = async {
            open.write_all(&data).await?;
            open.flush().await
        };
        tokio::select! {
            written = written => written.map_err(|e| not_open().with_source(e)),
            // A process that ended reads no more; the daemon would hold the bytes for ever.
            _ = status.wait_for(Option::is_some) => Err(not_open()),
        }
    }

    async fn close_stdin(&self) -> Result<()> {
        if !self.piped {
            return Err(not_open());
        }
        if let Some(mut input) = self.input.lock().await.take() {
            // The output shares the connection, which goes on in the other direction.
            let _ = input.shutdown().await;
        }
        Ok(())
    }

    async fn wait(&self) -> Result<ExitStatus> {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await;
        match ended.ok().and_then(|ended| ended.clone()) {
            Some(Ok(status)) => Ok(status),
            Some(Err(error)) => Err(repeat(&error)),
            None => Ok(ExitStatus::lost()),
        }
    }

    async fn signal(&self, _signal: Signal) -> Result<()> {
        let message = "a signal needs the resident agent, which this sandbox does not have";
        Err(Error::unsupported("docker.exec", "signal", message))
    }

    async fn resize(&self, _size: PtySize) -> Result<()> {
        Err(Error::new(
            ErrorKind::Conflict,
            "docker.exec",
            "it has no terminal",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launcher_says_which_field_is_wrong() {
        assert_eq!(verdict(b"S42").unwrap(), 42);
        assert_eq!(verdict(b"Ecwd").unwrap_err().field(), Some("cwd"));
        assert_eq!(verdict(b"Emissing").unwrap_err().field(), Some("command"));
        assert_eq!(verdict(b"S4x").unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn codes_above_128_are_signals() {
        assert_eq!(status(137), ExitStatus::from_signal(Signal::KILL));
        assert_eq!(status(255), ExitStatus::from_code(255));
        assert_eq!(status(128), ExitStatus::from_code(128));
    }
}
