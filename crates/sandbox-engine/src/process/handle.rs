//! What callers hold of a process.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sandbox_core::{
    Command, Error, ErrorKind, ExitStatus, Pid, Process, PtySize, Result, SandboxId, Signal,
    Timestamp,
};

use super::pace::Pace;
use super::table::Managed;
use super::{OutputReader, ProcessId};
use crate::access::Access;
use crate::lock::Locked;

/// How to start a process.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// A name to find it by, of the caller's choice: at most 128 bytes. Where several processes
    /// have it, the newest is found.
    pub tag: Option<String>,
    /// Whether the process waits for a reader from the start: what it writes before the handle's
    /// first [`read_paced`](ProcessHandle::read_paced) is kept, and where that is too much, it is
    /// held up until then, or until the handle and all its clones are dropped.
    pub paced: bool,
}

impl ProcessOptions {
    /// Sets the tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Lets the process wait for a reader from the start.
    #[must_use]
    pub fn paced(mut self) -> Self {
        self.paced = true;
        self
    }
}

/// Which process is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessSelector {
    /// The one with this id.
    Id(ProcessId),
    /// The newest with this id inside the sandbox.
    Pid(Pid),
    /// The newest with this tag.
    Tag(String),
}

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessStatus {
    /// It runs.
    Running,
    /// It ended.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        status: ExitStatus,
    },
}

/// A process that the engine watches. Cheap to clone; dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct ProcessHandle {
    pub(super) managed: Arc<Managed>,
    access: Access,
    /// The place of the first paced reader of a process that waits for it.
    pace: Option<Arc<Mutex<Option<Pace>>>>,
}

impl ProcessHandle {
    pub(crate) fn new(managed: Arc<Managed>, access: Access) -> Self {
        Self {
            managed,
            access,
            pace: None,
        }
    }

    /// A handle whose first paced reader takes the place of `pace`.
    pub(crate) fn held_by(mut self, pace: Option<Pace>) -> Self {
        self.pace = pace.map(|pace| Arc::new(Mutex::new(Some(pace))));
        self
    }

    /// Its id.
    pub fn id(&self) -> &ProcessId {
        &self.managed.id
    }

    /// Its id inside the sandbox.
    pub fn pid(&self) -> Pid {
        self.managed.pid
    }

    /// The sandbox it runs in.
    pub fn sandbox(&self) -> &SandboxId {
        self.access.entry().id()
    }

    /// What it runs.
    pub fn command(&self) -> &Command {
        &self.managed.command
    }

    /// The caller's name for it.
    pub fn tag(&self) -> Option<&str> {
        self.managed.tag.as_deref()
    }

    /// When it was started.
    pub fn started_at(&self) -> Timestamp {
        self.managed.started_at
    }

    /// Whether it runs.
    pub fn status(&self) -> ProcessStatus {
        match self.managed.ended() {
            Some((at, status)) => ProcessStatus::Ended { at, status },
            None => ProcessStatus::Running,
        }
    }

    /// Its output from the number `from` on; 0 for all that is kept. Any number of readers may.
    pub fn read(&self, from: u64) -> OutputReader {
        let from = from.max(1);
        OutputReader::new(Arc::clone(&self.managed.ring), from, self.access.in_use())
    }

    /// As [`read`](Self::read), for a reader that misses nothing from then on: where it is slower
    /// than the process, the process waits for it, as it would for a pipe. Its end, too, is known
    /// only when what it wrote before was read. Every other reader waits as well; dropping the reader
    /// lets it go on.
    pub fn read_paced(&self, from: u64) -> OutputReader {
        let reader = self.read(from);
        let first = self.pace.as_ref().and_then(|pace| pace.locked().take());
        let pace = first.unwrap_or_else(|| Pace::new(&self.managed.ring, from));
        reader.paced(pace)
    }

    /// Its output from now on.
    pub fn read_live(&self) -> OutputReader {
        self.read(self.managed.ring.next_seq())
    }

    /// Gives bytes to its standard input, as [`Process::write_stdin`].
    ///
    /// # Errors
    /// As there, and what using the sandbox fails with.
    pub async fn write_stdin(&self, data: Bytes) -> Result<()> {
        let (process, _in_use) = self.process().await?;
        process.write_stdin(data).await
    }

    /// Closes its standard input, as [`Process::close_stdin`].
    ///
    /// # Errors
    /// As there, and what using the sandbox fails with.
    pub async fn close_stdin(&self) -> Result<()> {
        let (process, _in_use) = self.process().await?;
        process.close_stdin().await
    }

    /// Sends a signal to its process group.
    ///
    /// # Errors
    /// `NotFound` with field `process` when it has ended, and what using the sandbox fails with.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        let (process, _in_use) = self.process().await?;
        process.signal(signal).await
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// As [`Process::resize`], and what using the sandbox fails with.
    pub async fn resize(&self, size: PtySize) -> Result<()> {
        let (process, _in_use) = self.process().await?;
        process.resize(size).await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// `Unavailable` when the engine shuts down first.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let _in_use = self.access.in_use();
        let mut changed = self.managed.ring.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(status) = self.managed.ring.exit() {
                return Ok(status);
            }
            if self.managed.ring.is_closed() || changed.changed().await.is_err() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "process.wait",
                    "the engine is shutting down; the process goes on",
                ));
            }
        }
    }

    async fn process(&self) -> Result<(Arc<dyn Process>, crate::gate::InUse)> {
        if self.managed.ended().is_some() {
            let error = Error::new(ErrorKind::NotFound, "process.use", "the process has ended");
            return Err(error.with_field("process"));
        }
        let (_, in_use) = self.access.enter().await?;
        match self.managed.process() {
            Some(process) => Ok((process, in_use)),
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "process.use",
                "the process is being taken up again",
            )),
        }
    }
}
