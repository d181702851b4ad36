//! Carrying a recipe out.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::Bytes;
use sandbox_core::{
    Error, ErrorKind, Exit, ExitStatus, KillCause, OutputStream, ProcessEvent, Result,
};
use tokio::sync::oneshot;

use super::block_on::block_on;
use super::proof::{Outcome, Receipt};
use super::recipe::{MAX_OUTPUT_BYTES, Recipe};
use super::recorded::Recorded;
use super::sources::{EPOCH_SECONDS, SeededEntropy, VirtualClock};
use crate::engine::{Engine, Fuel};
use crate::fs::{
    Caller, Errno, FileSystem, FileTime, OpenOptions, Sha256Bytes, Snapshot, TreeDigester,
};
use crate::kernel::{HostCommand, HostProcess, Kernel, Machine, MachineOptions, OutputReader};
use crate::origin::Origin;
use crate::programs::{Backend, Digest};
use crate::sched::VirtualTime;

const OPERATION: &str = "receipt.run";
/// The disk of a run whose recipe does not say.
const DEFAULT_DISK: u64 = 1 << 30;

/// What a deterministic run did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Run {
    /// What proves it.
    pub receipt: Receipt,
    /// What the command and those it started wrote to standard output.
    pub stdout: Bytes,
    /// What they wrote to standard error.
    pub stderr: Bytes,
    /// The files afterwards.
    pub tree: Snapshot,
}

/// Ends a run when its future is dropped.
struct Cancel {
    engine: Arc<Engine>,
    fuel: Arc<Fuel>,
}

impl Cancel {
    fn cancel(&self) {
        self.fuel.cancel();
        self.engine.tick();
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Runs `recipe` over `origin` on a thread of its own.
pub(super) async fn run(engine: Arc<Engine>, origin: Arc<Origin>, recipe: Recipe) -> Result<Run> {
    let time = Arc::new(VirtualTime::default());
    let fuel = Fuel::new(recipe.fuel, time.clone());
    let cancel = Cancel {
        engine: engine.clone(),
        fuel: fuel.clone(),
    };
    let (answer, answered) = oneshot::channel();
    let named = || thread::Builder::new().name("sandbox-receipt".into());
    let started = named().spawn(move || {
        let timeout = recipe.timeout;
        let (done, waits) = mpsc::channel::<()>();
        let watched = Cancel {
            engine: engine.clone(),
            fuel: fuel.clone(),
        };
        let watch = named().spawn(move || {
            if waits.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
                watched.cancel();
            }
        });
        let result = match watch {
            Ok(_) => Running::start(engine, &origin, &recipe, time, fuel).and_then(Running::finish),
            Err(error) => Err(no_thread(error)),
        };
        drop(done);
        // Who has gone misses nothing.
        let _ = answer.send(result);
    });
    started.map_err(no_thread)?;
    let result = answered.await;
    drop(cancel);
    result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, OPERATION, "the run failed")))
}

fn no_thread(error: std::io::Error) -> Error {
    let message = "the host gives no more threads";
    Error::new(ErrorKind::Unavailable, OPERATION, message).with_source(error)
}

/// A run that is going on.
struct Running<'r> {
    recipe: &'r Recipe,
    engine: Arc<Engine>,
    time: Arc<VirtualTime>,
    fuel: Arc<Fuel>,
    machine: Arc<Machine>,
    programs: Arc<Recorded>,
    process: Arc<HostProcess>,
    reader: OutputReader,
    digester: TreeDigester,
    tree: Sha256Bytes,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'r> Running<'r> {
    fn start(
        engine: Arc<Engine>,
        origin: &Origin,
        recipe: &'r Recipe,
        time: Arc<VirtualTime>,
        fuel: Arc<Fuel>,
    ) -> Result<Self> {
        let files = files(origin, recipe)?;
        let mut digester = TreeDigester::default();
        let tree = digester.digest(&files.snapshot()).map_err(tree_error)?;
        let kernel = Kernel::stepped(engine.clone(), time.clone(), fuel.clone());
        let programs = Arc::new(Recorded::new(origin.programs.clone()));
        let options = MachineOptions {
            files,
            programs: programs.clone(),
            resources: recipe.resources.clone(),
            env: origin.env.to_vec(),
            workdir: origin.workdir.as_str().to_owned(),
            user: (0, 0),
            hostname: "sandbox".into(),
            clock: Some(Arc::new(VirtualClock(time.clone()))),
            entropy: Some(Arc::new(SeededEntropy::new(recipe.seed))),
            network: None,
            events: None,
        };
        let machine = Machine::new(&kernel, options);
        let command = HostCommand {
            argv: recipe.command.to_argv(),
            env: recipe.command.env.clone(),
            cwd: recipe
                .command
                .cwd
                .as_ref()
                .map(|cwd| cwd.as_str().to_owned()),
            user: None,
            piped_stdin: true,
            timeout: recipe.command.timeout,
        };
        let process = Arc::new(block_on(machine.spawn_command(command))?);
        let (feeding, input) = (process.clone(), recipe.stdin.clone());
        machine.group.spawn(async move {
            // It may not want all of it, or end first.
            let _written = feeding.write_stdin(input).await;
            feeding.close_stdin();
        });
        let defect = || Error::new(ErrorKind::Internal, OPERATION, "nobody reads the output");
        let reader = process.take_output().ok_or_else(defect)?;
        Ok(Self {
            recipe,
            engine,
            time,
            fuel,
            machine,
            programs,
            process,
            reader,
            digester,
            tree,
            stdout: Vec::new(),
            stderr: Vec::new(),
        })
    }

    /// Runs until the command ends, and takes the rest down.
    fn finish(mut self) -> Result<Run> {
        let outcome = self.steps();
        self.machine.kill_all();
        let executor = &self.machine.kernel.executor;
        while executor.step() {}
        let outcome = outcome?;
        self.drain()?;
        let tree = self.machine.files.lock().snapshot();
        let tree_after = self.digester.digest(&tree).map_err(tree_error)?;
        let receipt = self.receipt(outcome, tree_after);
        Ok(Run {
            receipt,
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
            tree,
        })
    }

    fn steps(&mut self) -> Result<Outcome> {
        loop {
            self.drain()?;
            if self.fuel.is_exhausted() {
                return Ok(Outcome::OutOfFuel);
            }
            if self.fuel.is_cancelled() {
                let after = self.recipe.timeout;
                let message = format!("the run did not end within {after:?}");
                return Err(Error::new(ErrorKind::Timeout, OPERATION, message));
            }
            if let Some(status) = self.process.ended() {
                return Ok(outcome(status));
            }
            let executor = &self.machine.kernel.executor;
            if executor.step() {
                continue;
            }
            let Some(at) = executor.next_timer() else {
                return Ok(Outcome::Stuck);
            };
            self.time.advance_to(at);
            executor.set_off_timers();
        }
    }

    /// Takes what was written, so that nobody waits for the host.
    fn drain(&mut self) -> Result<()> {
        let cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = self.reader.poll_next(&cx) {
            match event {
                ProcessEvent::Output(OutputStream::Stderr, bytes) => self.stderr.extend(bytes),
                ProcessEvent::Output(_, bytes) => self.stdout.extend(bytes),
                ProcessEvent::Exited(_) => {}
            }
        }
        if self.stdout.len() + self.stderr.len() > MAX_OUTPUT_BYTES {
            let message = format!("more than {MAX_OUTPUT_BYTES} bytes were written");
            return Err(
                Error::new(ErrorKind::LimitExceeded, OPERATION, message).with_field("output")
            );
        }
        Ok(())
    }

    fn receipt(&self, outcome: Outcome, tree_after: Sha256Bytes) -> Receipt {
        let mut env = self.machine.env.clone();
        env.retain(|(name, _)| !self.recipe.command.env.contains_key(name));
        let own = self.recipe.command.env.iter();
        env.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        env.sort();
        let cwd = self.recipe.command.cwd.as_ref();
        let cwd = cwd.map_or(self.machine.workdir.as_str(), |cwd| cwd.as_str());
        let of = |bytes: &[u8]| Digest::of(bytes).to_string();
        Receipt {
            version: 1,
            engine: self.engine.engine().to_string(),
            seed: Digest::from_bytes(self.recipe.seed).to_string(),
            argv: self.recipe.command.to_argv(),
            env: env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            cwd: cwd.to_owned(),
            stdin: of(&self.recipe.stdin),
            tree: Digest::from_bytes(self.tree).to_string(),
            resources: self.recipe.resources.clone(),
            fuel_limit: self.recipe.fuel,
            programs: self.programs.started(),
            outcome,
            stdout: of(&self.stdout),
            stderr: of(&self.stderr),
            tree_after: Digest::from_bytes(tree_after).to_string(),
            fuel_used: self.fuel.used(),
        }
    }
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.exit, status.cause) {
        (_, Some(KillCause::OutOfMemory)) => Outcome::OutOfMemory,
        (Exit::Code(code), _) => Outcome::Exited(code),
        (Exit::Signal(signal), _) => Outcome::Signaled(signal.number()),
        (Exit::Lost, _) => Outcome::Stuck,
    }
}

/// The files that a run starts from, without their history.
fn files(origin: &Origin, recipe: &Recipe) -> Result<FileSystem> {
    let time = FileTime::from_nanos(EPOCH_SECONDS * 1_000_000_000);
    let by = Caller {
        now: time,
        ..Caller::default()
    };
    let disk = recipe.resources.disk.unwrap_or(DEFAULT_DISK);
    let mut files = origin.open(disk)?;
    for (path, content, mode) in &recipe.files {
        put(&mut files, path, content, *mode, by)
            .map_err(|errno| errno.into_error(OPERATION, path.as_str()))?;
    }
    let canonical = files.snapshot().canonical(time).map_err(tree_error)?;
    FileSystem::from_snapshot(&canonical, files.limits()).map_err(tree_error)
}

fn put(
    files: &mut FileSystem,
    path: &sandbox_core::SandboxPath,
    content: &[u8],
    mode: u32,
    by: Caller,
) -> Result<(), Errno> {
    if let Some(parent) = path.parent() {
        files.make_dirs(&parent, 0o755, by)?;
    }
    let options = OpenOptions {
        write: true,
        create: true,
        truncate: true,
        mode,
        ..OpenOptions::default()
    };
    let handle = files.open(path, options, by)?;
    let written = files.write_at(handle, 0, content, by);
    files.close(handle)?;
    written?;
    files.set_mode(path, mode, by)
}

fn tree_error(errno: Errno) -> Error {
    errno.into_error(OPERATION, "tree")
}
