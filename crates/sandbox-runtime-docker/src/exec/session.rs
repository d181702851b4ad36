//! One `docker exec` at a time: started, fed, read to its end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as Engine;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::InspectContainerOptions;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use sandbox_core::{Error, ErrorKind, OutputStream, Result};
use tokio::io::AsyncWrite;

use super::files::no_more_processes;
use crate::error::{docker, has_status, nonsense};

/// The most output of a script of ours that is kept in bytes.
const MAX_SCRIPT_OUTPUT: usize = 64 << 20;

/// How long a script waits for processes of a crowded sandbox to end.
const CROWD_PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks.
const CROWD_PAUSE: Duration = Duration::from_millis(200);

/// A container in which programs are started.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(super) docker: Docker,
    pub(super) container: String,
}

/// What to start.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) user: String,
    pub(super) stdin: bool,
}

/// The output of an exec, in order.
pub(super) type Output = Pin<Box<dyn Stream<Item = Result<(OutputStream, Bytes)>> + Send>>;
/// Its standard input.
pub(super) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// An exec that has been started.
pub(super) struct Running {
    pub(super) id: String,
    pub(super) output: Output,
    pub(super) input: Input,
}

/// A script of ours that has run.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) code: i64,
    pub(super) stdout: Bytes,
    pub(super) stderr: Bytes,
}

impl Session {
    pub(crate) fn new(docker: Docker, container: String) -> Self {
        Self { docker, container }
    }

    /// Starts a program and attaches to it.
    pub(super) async fn start(&self, start: Start) -> Result<Running> {
        let env = start
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let options = CreateExecOptions {
            attach_stdin: Some(start.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(start.argv),
            env: Some(env.collect()),
            user: Some(start.user),
            ..CreateExecOptions::default()
        };
        let created = self.docker.create_exec(&self.container, options);
        let id = created.await.map_err(refused)?.id;
        let options = StartExecOptions {
            output_capacity: Some(64 << 10),
            ..StartExecOptions::default()
        };
        match self.docker.start_exec(&id, Some(options)).await {
            Ok(StartExecResults::Attached { output, input }) => Ok(Running {
                id,
                output: Box::pin(output.map(chunk)),
                input,
            }),
            Ok(StartExecResults::Detached) => Err(nonsense("docker.exec", "it did not attach")),
            Err(error) => Err(refused(error)),
        }
    }

    /// The exit code of an exec whose output has ended.
    pub(super) async fn exit_code(&self, exec: &str) -> Result<i64> {
        // The output may end a moment before the daemon has noted the exit.
        let mut pause = Duration::from_millis(2);
        loop {
            let inspected = self.docker.inspect_exec(exec).await.map_err(refused)?;
            if let (Some(false), Some(code)) = (inspected.running, inspected.exit_code) {
                return Ok(code);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }

    /// Whether the container runs, paused or not.
    pub(super) async fn is_running(&self) -> Result<bool> {
        let inspected = self
            .docker
            .inspect_container(&self.container, None::<InspectContainerOptions>)
            .await
            .map_err(refused)?;
        Ok(inspected.state.and_then(|state| state.running) == Some(true))
    }

    /// Runs a script that changes nothing. Its own processes count among the sandbox's: where there
    /// may be no more, it waits for some to end.
    pub(super) async fn query(&self, script: &str, arguments: &[&str]) -> Result<Finished> {
        let begun = tokio::time::Instant::now();
        loop {
            let done = self.script(script, arguments).await?;
            let crowded = |said: &[u8]| no_more_processes(&String::from_utf8_lossy(said));
            // What keeps a script from starting is said on its output.
            let crowded = done.code != 0 && (crowded(&done.stderr) || crowded(&done.stdout));
            if !crowded || begun.elapsed() > CROWD_PATIENCE {
                return Ok(done);
            }
            tokio::time::sleep(CROWD_PAUSE).await;
        }
    }

    /// Runs a script of ours as root, to its end.
    pub(super) async fn script(&self, script: &str, arguments: &[&str]) -> Result<Finished> {
        let mut running = self.start(root_script(script, arguments, false)).await?;
        let (mut stdout, mut stderr) = (BytesMut::new(), BytesMut::new());
        while let Some(chunk) = running.output.next().await {
            let (stream, data) = chunk?;
            let into = match stream {
                OutputStream::Stdout | OutputStream::Pty => &mut stdout,
                OutputStream::Stderr => &mut stderr,
            };
            if into.len() + data.len() > MAX_SCRIPT_OUTPUT {
                let message = format!("has more than {MAX_SCRIPT_OUTPUT} bytes to say");
                return Err(Error::new(ErrorKind::LimitExceeded, "docker.exec", message));
            }
            into.extend_from_slice(&data);
        }
        Ok(Finished {
            code: self.exit_code(&running.id).await?,
            stdout: stdout.freeze(),
            stderr: stderr.freeze(),
        })
    }
}

/// A script for the image's shell, run as root.
pub(super) fn root_script(script: &str, arguments: &[&str], stdin: bool) -> Start {
    let head = ["/bin/sh", "-c", script, "sh"];
    Start {
        argv: head
            .iter()
            .chain(arguments)
            .map(|s| (*s).to_owned())
            .collect(),
        // Messages are read by us, names are bytes.
        env: BTreeMap::from([("LC_ALL".to_owned(), "C".to_owned())]),
        user: "0:0".to_owned(),
        stdin,
    }
}

fn chunk(item: Result<LogOutput, Engine>) -> Result<(OutputStream, Bytes)> {
    match item {
        Ok(LogOutput::StdErr { message }) => Ok((OutputStream::Stderr, message)),
        Ok(
            LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message },
        ) => Ok((OutputStream::Stdout, message)),
        Err(error) => Err(docker("docker.exec")(error)),
    }
}

/// A container that is gone or has ended is no longer there for its users; a paused one conflicts.
fn refused(error: Engine) -> Error {
    let text = error.to_string();
    let ended = has_status(&error, 404) || text.contains("is not running");
    let translated = docker("docker.exec")(error);
    if !ended {
        return translated;
    }
    Error::new(ErrorKind::NotFound, "docker.exec", "the sandbox has ended").with_source(translated)
}
