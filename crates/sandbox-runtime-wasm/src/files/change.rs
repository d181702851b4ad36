//! Changing what there is: directories, names.

use sandbox_core::{Error, ErrorKind, FileKind, MakeDirOptions, Result, SandboxPath, check_mode};

use super::{Volume, not_seen, refuse_user, refused};
use crate::fs::{Errno, Removal};

/// How many entries are removed while the lock is held.
const STEP_ENTRIES: usize = 1024;

/// As [`Sandbox::make_dir`](sandbox_core::Sandbox::make_dir).
pub(crate) fn make_dir<V: Volume>(
    volume: &V,
    path: &SandboxPath,
    options: &MakeDirOptions,
) -> Result<bool> {
    const OPERATION: &str = "wasm.make_dir";
    check_mode(options.mode)?;
    refuse_user(OPERATION, options.user.as_ref())?;
    let mode = options.mode.unwrap_or(0o755);
    let by = volume.caller();
    let mut files = volume.enter(OPERATION)?;
    let made = if options.create_parents {
        files.make_dirs(path, mode, by)
    } else {
        files.make_or_find_dir(path, mode, by)
    };
    made.map_err(|errno| refused(OPERATION, "path", path, errno))
}

/// As [`Sandbox::rename`](sandbox_core::Sandbox::rename).
pub(crate) fn rename<V: Volume>(volume: &V, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
    const OPERATION: &str = "wasm.rename";
    let mut files = volume.enter(OPERATION)?;
    files
        .metadata(from, false)
        .map_err(|errno| not_seen(OPERATION, "from", from, errno))?;
    if from.is_root() {
        return Err(refused(OPERATION, "from", from, Errno::Invalid));
    }
    files
        .rename(from, to, volume.caller())
        .map_err(|errno| match errno {
            Errno::Invalid => Error::new(
                ErrorKind::Conflict,
                OPERATION,
                format!("{to} lies inside {from}"),
            )
            .with_field("to"),
            other => refused(OPERATION, "to", to, other),
        })
}

/// As [`Sandbox::remove`](sandbox_core::Sandbox::remove). A directory goes in steps, so that it
/// keeps nobody waiting; a future that is dropped in between has removed a part of it.
pub(crate) async fn remove<V: Volume>(
    volume: &V,
    path: &SandboxPath,
    recursive: bool,
) -> Result<()> {
    const OPERATION: &str = "wasm.remove";
    let refused = |errno| not_seen(OPERATION, "path", path, errno);
    if path.is_root() {
        return Err(refused(Errno::Invalid));
    }
    let by = volume.caller();
    {
        let mut files = volume.enter(OPERATION)?;
        let kind = files.metadata(path, false).map_err(refused)?.kind;
        match kind {
            FileKind::Directory if !recursive => {
                return files.remove_dir(path, by).map_err(refused);
            }
            FileKind::Directory => {}
            FileKind::File | FileKind::Symlink | FileKind::Other => {
                return files.unlink(path, by).map_err(refused);
            }
        }
    }
    let mut begun = false;
    loop {
        let step = volume.enter(OPERATION)?.remove_all(path, STEP_ENTRIES, by);
        match step {
            Ok(Removal::More) => begun = true,
            Ok(Removal::Done) => return Ok(()),
            // Somebody else has removed the rest.
            Err(Errno::NotFound) if begun => return Ok(()),
            Err(errno) => return Err(refused(errno)),
        }
        tokio::task::yield_now().await;
    }
}
