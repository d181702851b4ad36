//! Starting processes, and replacing their programs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sandbox_core::Pid;

use super::description::{Description, Object};
use super::descriptors::{Descriptor, Descriptors, Fd};
use super::driver::Driver;
use super::errno::{Errno, Result};
use super::execute::{Execution, absolute};
use super::files::OpenHandle;
use super::machine::Machine;
use super::process::{NewProcess, Process};
use super::signals::{Fate, Signals};
use super::table::Entry;
use super::wakers::Wakers;
use crate::engine::Prepared;
use crate::fs::OpenOptions;

/// The descriptor of the root directory, in every process.
const ROOT: Fd = 3;

/// What a process asks to be started: the request of `spawn` and `exec`.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The program; absolute, or relative to `cwd`. `PATH` is not searched.
    pub(crate) path: String,
    /// Its arguments.
    pub(crate) argv: Vec<String>,
    /// Its environment; `PWD` is set from `cwd`.
    pub(crate) env: Vec<String>,
    /// Its working directory; relative to the caller's first one, which it is when empty.
    pub(crate) cwd: String,
    /// Its descriptors: its number, the caller's number. Nothing else is inherited. [`ROOT`]
    /// cannot be given.
    pub(crate) descriptors: Vec<(Fd, Fd)>,
    /// What it is handed.
    pub(crate) state: Vec<u8>,
    /// Whether it leads a new process group.
    pub(crate) new_group: bool,
    /// Whether it leads a new session and group.
    pub(crate) new_session: bool,
}

/// Where a process stands among the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relations {
    pub(super) parent: Pid,
    /// `None`: its own.
    pub(super) group: Option<Pid>,
    /// `None`: its own.
    pub(super) session: Option<Pid>,
    /// `None`: its own, as a command of the host.
    pub(super) job: Option<Pid>,
}

/// A process that is about to be.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) prepared: Prepared,
    pub(super) descriptors: Descriptors,
    pub(super) signals: Signals,
    pub(super) user: (u32, u32),
    pub(super) umask: u32,
    pub(super) relations: Relations,
}

impl Machine {
    /// Starts what `parent` asks for; the child's process id.
    ///
    /// # Errors
    /// `NOENT`, `NOTDIR`, `LOOP`, `ACCES`, `NOEXEC`, `TOOBIG`, `NOMEM` as the program is found or
    /// not; `BADF` and `INVAL` for descriptors; `AGAIN` at the limit of processes.
    pub(crate) async fn spawn_child(
        self: &Arc<Self>,
        parent: &Arc<Process>,
        request: Request,
    ) -> Result<Pid> {
        // What would fail anyway must not compile anything first.
        self.check_room()?;
        let descriptors = self.inherit(parent, &request)?;
        let relations = self.relations(parent, &request)?;
        let prepared = self.prepare(execution(parent, request)).await?;
        let descriptors = self.with_root(descriptors, parent.user)?;
        let birth = Birth {
            prepared,
            descriptors,
            signals: parent.inherited_signals(),
            user: parent.user,
            umask: parent.umask.load(Ordering::Relaxed),
            relations,
        };
        let (driver, process) = self.bear(birth, Some(parent))?;
        self.group.spawn(driver);
        Ok(process.pid)
    }

    /// Finds what `process` is to become, and gives it the descriptors asked for. From here on the
    /// old program must not run on: the caller puts the answer into
    /// [`ProcessState::next`](crate::engine::ProcessState::next) and leaves with
    /// [`exec_requested`](crate::engine::exec_requested).
    ///
    /// # Errors
    /// As [`spawn_child`](Self::spawn_child); the process is as it was then.
    pub(crate) async fn exec(
        self: &Arc<Self>,
        process: &Arc<Process>,
        request: Request,
    ) -> Result<Prepared> {
        let descriptors = self.inherit(process, &request)?;
        let (new_group, new_session) = (request.new_group, request.new_session);
        let prepared = self.prepare(execution(process, request)).await?;
        let descriptors = self.with_root(descriptors, process.user)?;
        if new_session || new_group {
            let mut table = self.table.lock();
            let entry = table.get_mut(process.pid).ok_or(Errno::SRCH)?;
            entry.group = process.pid;
            if new_session {
                entry.session = process.pid;
            }
        }
        let old = std::mem::replace(&mut *process.descriptors.lock(), descriptors);
        drop(old);
        Ok(prepared)
    }

    /// Whether there may be one process more.
    pub(super) fn check_room(&self) -> Result<()> {
        let full = self.table.lock().len() >= self.resources.pids as usize;
        if full { Err(Errno::AGAIN) } else { Ok(()) }
    }

    fn inherit(&self, from: &Process, request: &Request) -> Result<Descriptors> {
        let mut inherited = Descriptors::new(self.resources.open_files);
        let own = from.descriptors.lock();
        for (child, parent) in &request.descriptors {
            if *child == ROOT {
                return Err(Errno::INVAL);
            }
            let mut descriptor = own.get(*parent)?.clone();
            descriptor.preopen = None;
            // What it replaces is held by the parent too: dropping it closes nothing.
            inherited.set(*child, descriptor)?;
        }
        Ok(inherited)
    }

    /// Adds what every program finds: the root as [`ROOT`]. There is no descriptor of the working
    /// directory: [`wasi`](crate::wasi) says why, and how programs get to it.
    pub(super) fn with_root(
        &self,
        mut descriptors: Descriptors,
        user: (u32, u32),
    ) -> Result<Descriptors> {
        let options = OpenOptions {
            read: true,
            directory: true,
            ..OpenOptions::default()
        };
        let by = self.caller(user);
        let handle = self.files.lock().open("/", options, by)?;
        let object = Object::Directory(OpenHandle::new(self.files.clone(), handle));
        let mut descriptor = Descriptor::new(Description::new(object, true, false));
        descriptor.preopen = Some("/");
        descriptors.set(ROOT, descriptor)?;
        Ok(descriptors)
    }

    fn relations(&self, parent: &Process, request: &Request) -> Result<Relations> {
        let table = self.table.lock();
        let entry = table.get(parent.pid).ok_or(Errno::SRCH)?;
        let own_group = request.new_group || request.new_session;
        Ok(Relations {
            parent: parent.pid,
            group: (!own_group).then_some(entry.group),
            session: (!request.new_session).then_some(entry.session),
            job: Some(parent.job),
        })
    }

    /// Puts a new process into the table; what drives it.
    pub(super) fn bear(
        self: &Arc<Self>,
        birth: Birth,
        parent: Option<&Process>,
    ) -> Result<(Driver, Arc<Process>)> {
        let mut table = self.table.lock();
        // Under the table's lock, so that nothing is born behind the back of a kill.
        let dying = parent.is_some_and(|parent| matches!(parent.fate(), Fate::Die(..)));
        if dying || self.destroyed.load(Ordering::Relaxed) {
            return Err(Errno::AGAIN);
        }
        if table.len() >= self.resources.pids as usize {
            return Err(Errno::AGAIN);
        }
        let permit = self.kernel.engine.capacity.take(table.len())?;
        let pid = table.free_pid();
        let Birth {
            prepared,
            relations,
            ..
        } = birth;
        let new = NewProcess {
            pid,
            job: relations.job.unwrap_or(pid),
            user: birth.user,
            umask: birth.umask,
            descriptors: birth.descriptors,
            image: prepared.image,
            signals: birth.signals,
        };
        let process = Process::new(self.clone(), new);
        table.insert(Entry {
            process: process.clone(),
            parent: relations.parent,
            group: relations.group.unwrap_or(pid),
            session: relations.session.unwrap_or(pid),
            ended: None,
            waiting: Wakers::new(),
        });
        drop(table);
        let driver = Driver::new(process.clone(), prepared.code, permit);
        Ok((driver, process))
    }
}

fn execution(process: &Process, request: Request) -> Execution {
    let image = process.image();
    let cwd = if request.cwd.is_empty() {
        image.cwd.clone()
    } else {
        absolute(&image.cwd, &request.cwd)
    };
    Execution {
        path: request.path,
        argv: request.argv,
        env: request.env,
        cwd,
        state: request.state,
    }
}

#[cfg(test)]
impl Machine {
    /// A process of nobody's, with the root open and nothing else, and without a program: whoever
    /// tests calls makes them in its name.
    pub(crate) fn idle_process(self: &Arc<Self>) -> Result<Arc<Process>> {
        let descriptors = Descriptors::new(self.resources.open_files);
        let new = NewProcess {
            pid: 2,
            job: 2,
            user: self.user,
            umask: 0o022,
            descriptors: self.with_root(descriptors, self.user)?,
            image: self.image(Vec::new(), Vec::new(), self.workdir.clone(), Vec::new())?,
            signals: Signals::default(),
        };
        Ok(Process::new(self.clone(), new))
    }
}
