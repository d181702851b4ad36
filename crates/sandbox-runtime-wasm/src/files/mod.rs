//! The file methods of [`Sandbox`](sandbox_core::Sandbox) over a [`FileSystem`] behind a lock.
//!
//! The lock is held for one step at a time: a chunk of a stream, a part of a removal. What is long
//! and only reads goes over a [fork](FileSystem::fork), without the lock.

mod change;
mod look;
mod open_file;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::sync::MutexGuard;

use sandbox_core::{Error, ErrorKind, Result, SandboxPath};

use crate::fs::{Caller, Errno, FileSystem};

pub(crate) use change::{make_dir, remove, rename};
pub(crate) use look::{list, stat, watch};
pub(crate) use read::read;
pub(crate) use write::write;

/// Bytes that a stream moves while it holds the lock.
const STEP_BYTES: usize = 256 << 10;

/// What holds the files of one sandbox.
pub(crate) trait Volume: Send + Sync + 'static {
    /// The files, in whatever state the sandbox is: to go on with what was begun, and to let go.
    fn lock(&self) -> MutexGuard<'_, FileSystem>;

    /// Fails with the error of `operation` unless the sandbox takes work: `NotFound` for one that
    /// was destroyed, `Conflict` for one that is paused.
    fn check(&self, operation: &'static str) -> Result<()>;

    /// Who calls, and when: the sandbox's own user, now.
    fn caller(&self) -> Caller;

    /// The files of a sandbox that takes work.
    fn enter(&self, operation: &'static str) -> Result<MutexGuard<'_, FileSystem>> {
        // Asked under the lock: whoever destroys takes it after saying so.
        let files = self.lock();
        self.check(operation)?;
        Ok(files)
    }
}

/// `errno` as the error of `operation` about `field`, which has the path `path`.
fn refused(
    operation: &'static str,
    field: &'static str,
    path: &SandboxPath,
    errno: Errno,
) -> Error {
    let plain = errno.into_error(operation, field);
    let message = format!("{path}: {}", plain.message());
    Error::new(plain.kind(), operation, message)
        .with_field(field)
        .with_source(errno)
}

/// As [`refused`], for what only looks: where something on the way is not a directory, nothing is.
fn not_seen(
    operation: &'static str,
    field: &'static str,
    path: &SandboxPath,
    errno: Errno,
) -> Error {
    let errno = match errno {
        Errno::NotDirectory => Errno::NotFound,
        other => other,
    };
    refused(operation, field, path, errno)
}

/// Refuses an owner: every file belongs to the sandbox's user, whom nothing keeps from any.
fn refuse_user(operation: &'static str, user: Option<&sandbox_core::User>) -> Result<()> {
    match user {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Unsupported,
            operation,
            "permissions are kept here and not enforced, so that there are no other users",
        )
        .with_field("user")),
    }
}
