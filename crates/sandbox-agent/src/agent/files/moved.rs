//! Moving files.

use std::fs;
use std::path::Path;

use sandbox_core::{ErrorKind, SandboxPath};

use super::{at, refuse};
use crate::protocol::WireError;

/// Moves `from` to `to`.
pub(crate) fn rename(from: &SandboxPath, to: &SandboxPath) -> Result<(), WireError> {
    let (from, to) = (Path::new(from.as_str()), Path::new(to.as_str()));
    let Err(error) = fs::rename(from, to) else {
        return Ok(());
    };
    let missing = || {
        refuse(
            ErrorKind::NotFound,
            "from",
            "there is no such file or directory",
        )
    };
    Err(match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) if fs::symlink_metadata(from).is_err() => missing(),
        Some(libc::ENOENT) => {
            let message = "the directory it is to be moved to does not exist";
            refuse(ErrorKind::NotFound, "to", message)
        }
        Some(libc::EINVAL) => refuse(ErrorKind::Conflict, "to", "lies inside what is moved"),
        Some(libc::ENOTDIR) => {
            let message = "something that is not a directory is in the way";
            refuse(ErrorKind::Conflict, "to", message)
        }
        _ => at("to", &error),
    })
}
