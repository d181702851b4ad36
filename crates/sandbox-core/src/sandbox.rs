//! One sandbox.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::egress::EgressRules;
use crate::{
    BoxConnection, BoxStream, ByteStream, Command, FileContent, FileEvent, FileInfo, ListOptions,
    MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result, SandboxId, SandboxPath,
    SandboxSpec, Signal, SnapshotId, Stats, WatchOptions, WriteOptions,
};

/// An isolated place: files, processes, a network policy.
///
/// A handle, cheap to share; dropping it changes nothing in the sandbox. Every method on a paused
/// sandbox but [`resume`](Self::resume), [`pause`](Self::pause), [`stats`](Self::stats),
/// [`set_egress`](Self::set_egress) and [`destroy`](Self::destroy) fails with
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict); every method on a destroyed one but
/// `destroy` with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound); a method that the runtime's
/// [`Capabilities`](crate::Capabilities) leave out with
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported); and every method with
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) while the backend is away.
///
/// A future that is dropped before it answers leaves nothing half-done that a later call would
/// trip over: a started process may go on, a file is written whole or not at all.
#[async_trait]
pub trait Sandbox: fmt::Debug + Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> &SandboxId;

    /// What it was made from. Egress may have been replaced since.
    fn spec(&self) -> &SandboxSpec;

    /// Starts a process.
    ///
    /// # Errors
    /// `InvalidSpec` for a command that [`Command::validate`] refuses, `NotFound` with field
    /// `command` when there is no such program, with field `cwd` when there is no such directory,
    /// with field `user` when there is no such user, `PermissionDenied` with field `command` when
    /// it may not be run, `LimitExceeded` when there may be no more processes.
    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>>;

    /// Takes up a process again that an earlier client of this sandbox spawned. Its events begin
    /// with what nobody has read yet.
    ///
    /// # Errors
    /// `NotFound` with field `pid` when no spawned process has this id.
    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>>;

    /// Every process there is now, by id.
    async fn processes(&self) -> Result<Vec<ProcessInfo>>;

    /// Sends `signal` to one process, whoever started it.
    ///
    /// # Errors
    /// `NotFound` with field `pid` when there is none, `PermissionDenied` for the runtime's own.
    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()>;

    /// Opens a file for reading; links are followed.
    ///
    /// # Errors
    /// `NotFound` with field `path`; `Conflict` with field `path` when it is not a regular file.
    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent>;

    /// Writes a file whole, replacing what is there; links are followed. Readers see the old
    /// content or the new, never a part: when `body` ends with an error, or this future is
    /// dropped, nothing has changed.
    ///
    /// # Errors
    /// What `body` failed with; `Conflict` with field `path` when a directory is in the way, or
    /// something on the way is not a directory; `NotFound` with field `path` when a parent is
    /// missing and is not to be made, with field `user` for an unknown one; `LimitExceeded` when
    /// the disk is full.
    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo>;

    /// A file's attributes; a link is described itself.
    ///
    /// # Errors
    /// `NotFound` with field `path`.
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo>;

    /// The entries of a directory, sorted by path; a link to a directory is followed, links below
    /// it are not.
    ///
    /// # Errors
    /// `NotFound` with field `path`; `Conflict` with field `path` when it is not a directory;
    /// `LimitExceeded` with field `limit` when there are more entries than asked for.
    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>>;

    /// Makes a directory. `Ok(false)`: it was there.
    ///
    /// # Errors
    /// `Conflict` with field `path` when something else is in the way; `NotFound` with field
    /// `path` when a parent is missing and is not to be made.
    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool>;

    /// Moves `from` to `to`, replacing a file or an empty directory of the same kind there.
    ///
    /// # Errors
    /// `NotFound` with field `from`, or with field `to` when its directory is missing; `Conflict`
    /// with field `to` when what is there cannot be replaced, or it lies inside `from`.
    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()>;

    /// Removes a file, a link itself, or with `recursive` a whole directory.
    ///
    /// # Errors
    /// `NotFound` with field `path`; `Conflict` with field `path` for a directory that is not
    /// empty, without `recursive`; `InvalidSpec` with field `path` for the root.
    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()>;

    /// Changes below a directory, from now on: what happens after this returned is in the stream.
    /// Dropping the stream ends the watch.
    ///
    /// # Errors
    /// `NotFound` or `Conflict` with field `path` when it is not a directory.
    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>>;

    /// Freezes every process; deadlines of commands stop counting. Idempotent.
    async fn pause(&self) -> Result<()>;

    /// Continues after [`pause`](Self::pause). Idempotent.
    async fn resume(&self) -> Result<()>;

    /// Replaces the egress policy, at once and for established flows too. When it fails, the old
    /// policy, or a stricter one, is in force.
    async fn set_egress(&self, rules: &EgressRules) -> Result<()>;

    /// Connects to a TCP port on which a process of the sandbox listens, on any of its addresses,
    /// loopback included. No egress policy applies.
    ///
    /// # Errors
    /// `Unavailable` with field `port` when nothing listens there.
    async fn connect(&self, port: u16) -> Result<BoxConnection>;

    /// Keeps the file system as it is now, as a source for new sandboxes; processes are not in it.
    /// It outlives the sandbox.
    async fn snapshot(&self) -> Result<SnapshotId>;

    /// What it uses.
    async fn stats(&self) -> Result<Stats>;

    /// Kills every process and frees everything. Idempotent; when it fails, calling it again goes
    /// on where it stopped.
    async fn destroy(&self) -> Result<()>;
}
