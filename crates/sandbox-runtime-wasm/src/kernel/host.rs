//! Commands of the host: started from outside, their input and output held outside.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use sandbox_core::{Error, ErrorKind, ExitStatus, Pid, Result, Signal};

use super::description::{Description, Object};
use super::descriptors::{Descriptor, Descriptors};
use super::errno::Errno;
use super::execute::Execution;
use super::jobs::Target;
use super::lookup::refused;
use super::machine::Machine;
use super::output::{OutputReader, output};
use super::pipe::{PipeWriter, pipe};
use super::process::EndCell;
use super::signals::Signals;
use super::spawn::{Birth, Relations};
use super::table::INIT;
use crate::lock::Lock;

/// The permission bits that new files do not get.
const DEFAULT_UMASK: u32 = 0o022;

/// A command for [`Machine::spawn_command`].
#[derive(Debug, Default, Clone)]
pub(crate) struct HostCommand {
    /// The program and its arguments; never empty. Without a `/` it is found through `PATH`.
    pub(crate) argv: Vec<String>,
    /// Environment variables over the sandbox's.
    pub(crate) env: BTreeMap<String, String>,
    /// The working directory; without one, the sandbox's.
    pub(crate) cwd: Option<String>,
    /// Who runs it; without one, the sandbox's.
    pub(crate) user: Option<(u32, u32)>,
    /// Whether it gets input through [`HostProcess::write_stdin`].
    pub(crate) piped_stdin: bool,
    /// Kills it and all it started after this long; pauses do not count.
    pub(crate) timeout: Option<Duration>,
}

/// A command of the host that was started. Dropping this kills nothing: what it writes is thrown
/// away then, unless the reader was taken.
#[derive(Debug)]
pub(crate) struct HostProcess {
    pid: Pid,
    /// The machine, without keeping it.
    machine: Weak<Machine>,
    end: Arc<EndCell>,
    /// The pipe of a piped input that is open.
    stdin: Lock<Option<Arc<PipeWriter>>>,
    output: Lock<Option<OutputReader>>,
}

impl Machine {
    /// Starts a command of the host in a process group and session of its own.
    ///
    /// # Errors
    /// `NotFound` with field `command` or `cwd`, `PermissionDenied` with field `command`,
    /// `InvalidSpec` with field `command` for what nothing here can run, `LimitExceeded` at the
    /// limit of processes or memory, `Unavailable` when too much is being compiled.
    pub(crate) async fn spawn_command(
        self: &Arc<Self>,
        command: HostCommand,
    ) -> Result<HostProcess> {
        let cwd = command.cwd.clone().unwrap_or_else(|| self.workdir.clone());
        let (env, path) = self.environment(&command.env);
        self.check_directory(&cwd)
            .map_err(|errno| refused(errno, "cwd"))?;
        let name = command.argv.first().map_or("", String::as_str);
        let program = self
            .search(name, &cwd, &path)
            .map_err(|errno| refused(errno, "command"))?;
        self.start(command, program, env, cwd)
            .await
            .map_err(|errno| refused(errno, "command"))
    }

    async fn start(
        self: &Arc<Self>,
        command: HostCommand,
        path: String,
        env: Vec<String>,
        cwd: String,
    ) -> super::Result<HostProcess> {
        self.check_room()?;
        let execution = Execution {
            path,
            argv: command.argv,
            env,
            cwd,
            state: Vec::new(),
        };
        let prepared = self.prepare(execution).await?;
        let user = command.user.unwrap_or(self.user);
        let mut descriptors = Descriptors::new(self.resources.open_files);
        let (stdin, writer) = if command.piped_stdin {
            let (reader, writer) = pipe(self.memory.clone());
            (Object::PipeReader(reader), Some(Arc::new(writer)))
        } else {
            (Object::Null, None)
        };
        let (stdout, stderr, exit, reader) = output();
        let standard = [
            (stdin, true),
            (Object::Output(stdout), false),
            (Object::Output(stderr), false),
        ];
        for (object, read) in standard {
            let description = Description::new(object, read, !read);
            descriptors.insert(Descriptor::new(description), 0)?;
        }
        let descriptors = self.with_root(descriptors, user)?;
        let birth = Birth {
            prepared,
            descriptors,
            signals: Signals::default(),
            user,
            umask: DEFAULT_UMASK,
            relations: Relations {
                parent: INIT,
                group: None,
                session: None,
                job: None,
            },
        };
        let (driver, process) = self.bear(birth, None)?;
        let end = process.report_to(exit);
        let pid = process.pid;
        if let Some(timeout) = command.timeout {
            self.set_timeout(pid, timeout);
        }
        self.group.spawn_here(driver);
        Ok(HostProcess {
            pid,
            machine: Arc::downgrade(self),
            end,
            stdin: Lock::new(writer),
            output: Lock::new(Some(reader)),
        })
    }

    fn set_timeout(self: &Arc<Self>, job: Pid, timeout: Duration) {
        let machine = Arc::downgrade(self);
        let alarm = self.group.after(timeout, move || {
            if let Some(machine) = machine.upgrade() {
                machine.kill_job(job, Some(sandbox_core::KillCause::Timeout));
            }
        });
        self.table.lock().set_alarm(job, alarm);
    }
}

impl HostProcess {
    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The reader of its output; the first call gets it.
    pub(crate) fn take_output(&self) -> Option<OutputReader> {
        self.output.lock().take()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&self) -> ExitStatus {
        poll_fn(|cx| self.end.poll(cx)).await
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.end.get()
    }

    /// Gives it input; waits while it does not read.
    ///
    /// # Errors
    /// `Conflict` when its input is not open; `LimitExceeded` when the sandbox has no memory left
    /// for it.
    pub(crate) async fn write_stdin(&self, mut data: Bytes) -> Result<()> {
        let closed = || {
            let message = "standard input is not open";
            Error::new(ErrorKind::Conflict, "wasm.write_stdin", message).with_field("stdin")
        };
        let pipe = self.stdin.lock().clone().ok_or_else(closed)?;
        if pipe.is_broken() {
            return Err(closed());
        }
        while data.has_remaining() {
            let written = poll_fn(|cx| pipe.poll_write(cx, &data)).await;
            match written {
                Ok(count) => data.advance(count),
                Err(Errno::NOBUFS) => {
                    let message = "the sandbox has no memory left for its input";
                    return Err(Error::new(
                        ErrorKind::LimitExceeded,
                        "wasm.write_stdin",
                        message,
                    ));
                }
                Err(_) => return Err(closed()),
            }
        }
        Ok(())
    }

    /// Closes its input. Idempotent.
    ///
    /// # Errors
    /// `Conflict` when it never had any.
    pub(crate) fn close_stdin(&self) {
        let pipe = self.stdin.lock().take();
        drop(pipe);
    }

    /// Sends `signal` to its process group.
    ///
    /// # Errors
    /// `NotFound` when it has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let gone = || Error::new(ErrorKind::NotFound, "wasm.signal", "the process has ended");
        if self.end.get().is_some() {
            return Err(gone());
        }
        let machine = self.machine.upgrade().ok_or_else(gone)?;
        machine
            .send_signal(Target::Group(self.pid), Some(signal))
            .map_err(|_| gone())
    }
}

impl OutputReader {
    /// The next event; `None` once the command ended and nobody holds its output.
    pub(crate) async fn next(&self) -> Option<sandbox_core::ProcessEvent> {
        poll_fn(|cx| -> Poll<_> { self.poll_next(cx) }).await
    }
}
