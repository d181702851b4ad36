//! What a running program holds: its descriptors, environment and directory.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Fd, IoError, Kernel, NoMoreProcesses, OpenFile, Proc, budget};
use crate::fake::script::Program;
use crate::fake::tree::{Access, Content, Device, FsError, FsResult, Ino, Owner};

/// The mark at the start of a fake binary; its applet's name follows.
pub(crate) const BINARY: &[u8] = b"\x7fFAKE ";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Something that can be executed.
#[derive(Clone)]
pub(crate) enum Executable {
    Applet(String),
    Scripted(Program),
    /// A file for an interpreter.
    Interpreted {
        interpreter: String,
        path: String,
    },
}

/// Why something cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupError {
    NotFound,
    Denied,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) proc: Arc<Proc>,
    pub(crate) owner: Owner,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: Ino,
    pub(crate) fds: BTreeMap<u32, Fd>,
}

impl Task {
    pub(crate) fn fd(&self, number: u32) -> Fd {
        self.fds.get(&number).cloned().unwrap_or(Fd::NULL)
    }

    /// A new process that is a copy of this one.
    pub(crate) fn fork(&self, argv: Vec<String>) -> Result<Self, NoMoreProcesses> {
        let proc = self.kernel.enter(Some(&self.proc), argv, self.owner.uid)?;
        Ok(Self {
            proc,
            ..self.clone()
        })
    }

    /// Starts work in this process, which ends with it.
    pub(crate) fn start<F>(self, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = u8> + Send + 'static,
    {
        let (kernel, proc) = (Arc::clone(&self.kernel), Arc::clone(&self.proc));
        kernel.run(&proc, work(self), None);
    }

    /// Writes to standard output. A program that nobody reads any more is killed by it.
    pub(crate) async fn print(&self, data: impl Into<Bytes>) -> Result<(), IoError> {
        self.write(1, data.into()).await
    }

    /// Writes a line to standard error.
    pub(crate) async fn complain(&self, message: &str) {
        // With standard error closed there is nobody to tell.
        let _ = self.write(2, format!("{message}\n").into()).await;
    }

    pub(crate) async fn write(&self, fd: u32, data: Bytes) -> Result<(), IoError> {
        let open = self.fds.get(&fd).ok_or(IoError::BadDescriptor)?;
        let written = open.write(&self.kernel, data).await;
        if written == Err(IoError::Broken) {
            self.proc.deliver(sandbox_core::Signal::PIPE, None);
            tokio::task::yield_now().await;
        }
        written
    }

    /// Pays for CPU time and waits until it is paid for.
    pub(crate) async fn burn(&self, cpu: Duration) {
        self.proc.charge(cpu);
        match self.kernel.budget.charge(cpu) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => tokio::task::consume_budget().await,
        }
        // Whoever is killed or stopped in the middle of a poll goes no further in it.
        if self.kernel.is_frozen() || self.proc.is_held_up() {
            tokio::task::yield_now().await;
        }
    }

    /// Pays for one step of a program.
    pub(crate) async fn step(&self) {
        self.burn(budget::STEP).await;
    }

    /// The next line of standard input, with its end; `None` at the end of the input.
    pub(crate) async fn read_line(&self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            let next = self.fd(0).read(&self.kernel, 1).await.unwrap_or_default();
            line.extend_from_slice(&next);
            if next.is_empty() || line.ends_with(b"\n") {
                break;
            }
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        (!text.is_empty()).then_some(text)
    }

    pub(crate) fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        self.kernel.files(|tree| {
            let ino = tree.find(self.cwd, path, true).ok()?;
            if !tree.permits(ino, self.owner, Access::Read) {
                return None;
            }
            Some(tree.data(ino).ok()?.to_vec())
        })
    }

    /// Opens a file for reading.
    pub(crate) fn open_read(&self, path: &str) -> FsResult<Fd> {
        self.kernel.files(|tree| {
            let ino = tree.find(self.cwd, path, true)?;
            match &tree.node(ino)?.content {
                Content::Directory(_) => return Err(FsError::IsDirectory),
                Content::Device(device) => return Ok(Fd::Device(*device)),
                Content::File(_) | Content::Link(_) => {}
            }
            if !tree.permits(ino, self.owner, Access::Read) {
                return Err(FsError::Denied);
            }
            Ok(open_file(ino, false))
        })
    }

    /// Opens a file for writing, making it if need be.
    pub(crate) fn open_write(&self, path: &str, append: bool) -> FsResult<Fd> {
        let device = self.kernel.files(|tree| {
            let node = tree.node(tree.find(self.cwd, path, true).ok()?).ok()?;
            match &node.content {
                Content::Device(device) => Some(*device),
                Content::File(_) | Content::Link(_) | Content::Directory(_) => None,
            }
        });
        if let Some(device) = device {
            return Ok(Fd::Device(device));
        }
        self.kernel.edit_files(|tree| {
            let place = tree.locate(self.cwd, path, true)?;
            let Some(ino) = place.node else {
                if path.ends_with('/') {
                    return Err(FsError::IsDirectory);
                }
                if !tree.permits(place.dir, self.owner, Access::Write) {
                    return Err(FsError::Denied);
                }
                let empty = Content::File(Arc::default());
                let ino = tree.add(place.dir, &place.name, empty, 0o644, self.owner)?;
                return Ok(open_file(ino, append));
            };
            if tree.entries(ino).is_ok() {
                return Err(FsError::IsDirectory);
            }
            if !tree.permits(ino, self.owner, Access::Write) {
                return Err(FsError::Denied);
            }
            if !append {
                tree.replace(ino, Vec::new())?;
            }
            Ok(open_file(ino, append))
        })
    }

    pub(crate) fn write_file(&self, path: &str, data: &[u8]) -> FsResult<()> {
        match self.open_write(path, false)? {
            Fd::File(file) => self
                .kernel
                .edit_files(|tree| tree.replace(file.ino, data.to_vec())),
            Fd::Device(Device::Full) => Err(FsError::NoSpace),
            Fd::Device(Device::Null | Device::Zero)
            | Fd::PipeIn(_)
            | Fd::PipeOut(_)
            | Fd::Out(_)
            | Fd::Tty(_)
            | Fd::Socket(_) => Ok(()),
        }
    }

    /// What `name` runs: a path, or a name looked for in `PATH` and then among the scripted
    /// programs.
    pub(crate) fn find_program(&self, name: &str) -> Result<Executable, LookupError> {
        if name.contains('/') {
            return self.executable(name);
        }
        let path = self.env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let mut problem = LookupError::NotFound;
        for dir in path.split(':') {
            match self.executable(&format!("{dir}/{name}")) {
                Ok(found) => return Ok(found),
                Err(LookupError::Denied) => problem = LookupError::Denied,
                Err(LookupError::NotFound) => {}
            }
        }
        let scripted = self.kernel.world.program(name);
        scripted.map(Executable::Scripted).ok_or(problem)
    }

    fn executable(&self, path: &str) -> Result<Executable, LookupError> {
        self.kernel.files(|tree| {
            let ino = match tree.find(self.cwd, path, true) {
                Ok(ino) => ino,
                Err(FsError::Denied) => return Err(LookupError::Denied),
                Err(_) => return Err(LookupError::NotFound),
            };
            let data = tree.data(ino).map_err(|_| LookupError::Denied)?;
            if !tree.permits(ino, self.owner, Access::Execute) {
                return Err(LookupError::Denied);
            }
            if let Some(name) = data.strip_prefix(BINARY) {
                let name = String::from_utf8_lossy(name).trim_end().to_owned();
                return Ok(Executable::Applet(name));
            }
            let first = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let interpreter = match first.strip_prefix(b"#!") {
                Some(line) => String::from_utf8_lossy(line).trim().to_owned(),
                None => "/bin/sh".to_owned(),
            };
            Ok(Executable::Interpreted {
                interpreter,
                path: path.to_owned(),
            })
        })
    }
}

fn open_file(ino: Ino, append: bool) -> Fd {
    Fd::File(Arc::new(OpenFile {
        ino,
        offset: std::sync::Mutex::new(0),
        append,
    }))
}
