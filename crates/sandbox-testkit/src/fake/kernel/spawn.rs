//! Starting a client's command, and the client's handle on it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use sandbox_core::{
    BoxStream, Command, Error, ErrorKind, ExitStatus, OutputStream, Pid, Process, ProcessEvent,
    PtySize, Result, Signal, Stdin,
};

use super::outbox::Hold;
use super::pipe::PipeWriter;
use super::proc::Scheduled;
use super::pty::Pty;
use super::{Executable, Fd, Kernel, LookupError, Outbox, Proc, Task, pipe};
use crate::fake::applets;
use crate::fake::tree::{Ino, ROOT};
use crate::fake::users::{self, Identity};
use crate::lock::Locked;

const OPERATION: &str = "fake.spawn";
/// What a program that panicked returns, as a Rust program does.
const PANICKED: u8 = 101;

#[derive(Debug)]
enum Input {
    Never,
    Open(Arc<PipeWriter>),
    Closed,
}

/// A process that a client started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) proc: Arc<Proc>,
    pub(crate) outbox: Arc<Outbox>,
    input: Mutex<Input>,
    /// Weak, because the output ends when the last process lets go of the terminal.
    pty: Option<Weak<Pty>>,
}

impl Kernel {
    /// Starts a command; see [`Sandbox::spawn`](sandbox_core::Sandbox::spawn) for its errors.
    pub(crate) fn spawn(self: &Arc<Self>, command: &Command) -> Result<Arc<dyn Process>> {
        let identity = self.identity(command)?;
        let cwd = self.working_directory(command)?;
        let env = self.environment_of(command, &identity);
        let argv = command.to_argv();
        let proc = self
            .enter(None, argv.clone(), identity.owner.uid)
            .map_err(|_| {
                let limit = self.spec.resources().pids;
                let message = format!("there are {limit} processes already, which is the limit");
                Error::new(ErrorKind::LimitExceeded, OPERATION, message)
                    .with_field("resources.pids")
            })?;
        let outbox = Outbox::new();
        let (fds, input, pty) = descriptors(command, &outbox);
        let task = Task {
            kernel: Arc::clone(self),
            proc: Arc::clone(&proc),
            owner: identity.owner,
            env,
            cwd,
            fds,
        };
        let program = match task.find_program(argv.first().map_or("", String::as_str)) {
            Ok(program) => program,
            Err(problem) => {
                self.reap(&proc);
                return Err(no_program(problem, &argv));
            }
        };
        let spawned = Arc::new(Spawned {
            proc: Arc::clone(&proc),
            outbox: Arc::clone(&outbox),
            input: Mutex::new(input),
            pty,
        });
        self.table
            .locked()
            .spawned
            .insert(proc.pid, Arc::clone(&spawned));
        let handle = FakeProcess::new(Arc::clone(self), spawned);
        self.run(&proc, run_program(program, task, argv), Some(outbox));
        if let Some(limit) = command.timeout {
            tokio::spawn(Arc::clone(self).enforce(proc, limit));
        }
        Ok(Arc::new(handle))
    }

    /// Takes up a spawned process again.
    pub(crate) fn attach(self: &Arc<Self>, pid: Pid) -> Option<Arc<dyn Process>> {
        let spawned = self.table.locked().spawned.get(&pid).cloned()?;
        Some(Arc::new(FakeProcess::new(Arc::clone(self), spawned)))
    }

    /// Lets a process do its work, and cleans up after it.
    pub(super) fn run(
        self: &Arc<Self>,
        proc: &Arc<Proc>,
        work: impl Future<Output = u8> + Send + 'static,
        outbox: Option<Arc<Outbox>>,
    ) {
        let work = AssertUnwindSafe(work)
            .catch_unwind()
            .map(|end| end.unwrap_or(PANICKED));
        let scheduled = Scheduled {
            kernel: Arc::clone(self),
            proc: Arc::clone(proc),
            work: Some(Box::pin(work)),
        };
        let (kernel, proc) = (Arc::clone(self), Arc::clone(proc));
        tokio::spawn(async move {
            let status = scheduled.await;
            kernel.reap(&proc);
            if let Some(outbox) = outbox {
                outbox.exited(status);
            }
            proc.set_exit(status);
        });
    }

    fn identity(&self, command: &Command) -> Result<Identity> {
        let Some(user) = command.user.as_ref().or(self.spec.user()) else {
            return Ok(Identity::root());
        };
        self.files(|tree| users::find(tree, user)).ok_or_else(|| {
            let message = format!("there is no user {user}");
            Error::new(ErrorKind::NotFound, OPERATION, message).with_field("user")
        })
    }

    fn working_directory(&self, command: &Command) -> Result<Ino> {
        let Some(path) = command.cwd.as_ref().or(self.spec.workdir()) else {
            return Ok(ROOT);
        };
        let found = self.files(|tree| {
            let ino = tree.find(ROOT, path.as_str(), true)?;
            tree.entries(ino).map(|_| ino)
        });
        found.map_err(|error| {
            Error::new(ErrorKind::NotFound, OPERATION, format!("{path}: {error}")).with_field("cwd")
        })
    }

    fn environment_of(&self, command: &Command, who: &Identity) -> BTreeMap<String, String> {
        let hostname = self.hostname();
        let user = who
            .name
            .clone()
            .unwrap_or_else(|| who.owner.uid.to_string());
        let mut env: BTreeMap<String, String> = [
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("HOME", who.home.as_str()),
            ("USER", user.as_str()),
            ("HOSTNAME", hostname.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if command.pty.is_some() {
            env.insert("TERM".to_owned(), "xterm-256color".to_owned());
        }
        env.extend(self.spec.env().clone());
        env.extend(command.env.clone());
        env
    }

    /// The host name inside.
    pub(crate) fn hostname(&self) -> String {
        let made = || self.spec.id().as_str().replace('_', "-");
        self.spec.hostname().map_or_else(made, str::to_owned)
    }
}

fn descriptors(
    command: &Command,
    outbox: &Arc<Outbox>,
) -> (BTreeMap<u32, Fd>, Input, Option<Weak<Pty>>) {
    if let Some(size) = command.pty {
        let pty = Arc::new(Pty::new(size, outbox.writer(OutputStream::Pty)));
        let fds = (0..3).map(|fd| (fd, Fd::Tty(Arc::clone(&pty)))).collect();
        return (fds, Input::Never, Some(Arc::downgrade(&pty)));
    }
    let (stdin, input) = match command.stdin {
        Stdin::Null => (Fd::NULL, Input::Never),
        Stdin::Piped => {
            let (reader, writer) = pipe();
            (Fd::PipeIn(reader), Input::Open(writer))
        }
    };
    let stdout = Fd::Out(outbox.writer(OutputStream::Stdout));
    let stderr = Fd::Out(outbox.writer(OutputStream::Stderr));
    (
        BTreeMap::from([(0, stdin), (1, stdout), (2, stderr)]),
        input,
        None,
    )
}

fn no_program(problem: LookupError, argv: &[String]) -> Error {
    let name = argv.first().map_or("", String::as_str);
    let (kind, message) = match problem {
        LookupError::NotFound => (ErrorKind::NotFound, format!("there is no program {name:?}")),
        LookupError::Denied => (
            ErrorKind::PermissionDenied,
            format!("{name:?} may not be executed"),
        ),
    };
    Error::new(kind, OPERATION, message).with_field("command")
}

/// Runs a program in a process that exists.
pub(crate) async fn run_program(program: Executable, task: Task, argv: Vec<String>) -> u8 {
    match program {
        Executable::Applet(name) => applets::run(&name, task, argv).await,
        Executable::Scripted(program) => {
            program(crate::fake::script::ScriptContext { task, argv }).await
        }
        Executable::Interpreted { interpreter, path } => {
            let mut line: Vec<String> = interpreter.split(' ').map(str::to_owned).collect();
            let name = line.first().cloned().unwrap_or_default();
            line.push(path);
            line.extend(argv.into_iter().skip(1));
            match task.find_program(&name) {
                Ok(Executable::Applet(name)) => applets::run(&name, task, line).await,
                Ok(Executable::Scripted(program)) => {
                    let argv = line;
                    program(crate::fake::script::ScriptContext { task, argv }).await
                }
                // An interpreter that is a script itself is refused, as the kernel refuses it.
                Ok(Executable::Interpreted { .. }) | Err(_) => {
                    task.complain(&format!("{name}: bad interpreter")).await;
                    126
                }
            }
        }
    }
}

/// A client's handle on a process.
struct FakeProcess {
    kernel: Arc<Kernel>,
    spawned: Arc<Spawned>,
    hold: Mutex<Option<Hold>>,
}

impl fmt::Debug for FakeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeProcess")
            .field("pid", &self.spawned.proc.pid)
            .finish_non_exhaustive()
    }
}

impl FakeProcess {
    fn new(kernel: Arc<Kernel>, spawned: Arc<Spawned>) -> Self {
        let hold = Mutex::new(Some(spawned.outbox.hold()));
        Self {
            kernel,
            spawned,
            hold,
        }
    }

    fn has_ended(&self) -> bool {
        self.spawned.proc.has_exited()
    }
}

fn conflict(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Conflict, operation, message)
}

#[async_trait]
impl Process for FakeProcess {
    fn pid(&self) -> Pid {
        self.spawned.proc.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        self.hold.locked().take().map(Hold::into_stream)
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        const OPERATION: &str = "fake.write_stdin";
        if self.has_ended() {
            return Err(conflict(OPERATION, "the process has ended"));
        }
        if let Some(pty) = &self.spawned.pty {
            let pty = pty.upgrade();
            let pty = pty.ok_or_else(|| conflict(OPERATION, "its terminal is closed"))?;
            for signal in pty.type_in(&data) {
                self.kernel.signal_group(self.pid(), signal);
            }
            return Ok(());
        }
        let writer = match &*self.spawned.input.locked() {
            Input::Never => return Err(conflict(OPERATION, "its input is not piped")),
            Input::Closed => return Err(conflict(OPERATION, "its input is closed")),
            Input::Open(writer) => Arc::clone(writer),
        };
        let written = writer.write(data).await;
        written.map_err(|_| conflict(OPERATION, "nobody reads its input any more"))
    }

    async fn close_stdin(&self) -> Result<()> {
        const OPERATION: &str = "fake.close_stdin";
        let mut input = self.spawned.input.locked();
        match *input {
            Input::Never if self.spawned.pty.is_some() => {
                Err(conflict(OPERATION, "a terminal's input is ended with ^D"))
            }
            Input::Never => Err(conflict(OPERATION, "its input is not piped")),
            Input::Closed | Input::Open(_) => {
                *input = Input::Closed;
                Ok(())
            }
        }
    }

    async fn wait(&self) -> Result<ExitStatus> {
        let mut exit = self.spawned.proc.watch_exit();
        // The sender lives in `self.spawned`.
        let status = exit.wait_for(Option::is_some).await;
        Ok(status
            .ok()
            .and_then(|status| *status)
            .unwrap_or(ExitStatus::lost()))
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        const OPERATION: &str = "fake.signal_process";
        let reached = !self.has_ended() && self.kernel.signal_group(self.pid(), signal);
        reached
            .then_some(())
            .ok_or_else(|| Error::new(ErrorKind::NotFound, OPERATION, "the process has ended"))
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let Some(pty) = self.spawned.pty.as_ref().and_then(Weak::upgrade) else {
            return Err(conflict("fake.resize", "it has no terminal"));
        };
        pty.resize(size);
        Ok(())
    }
}
