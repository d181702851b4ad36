//! What the kernel's errors mean to a client.

use std::io;

use sandbox_core::ErrorKind;

use crate::protocol::WireError;

/// An error about `field`.
pub(crate) fn refuse(kind: ErrorKind, field: &str, message: impl Into<String>) -> WireError {
    WireError::of(kind, field, message)
}

/// What `error` means for the file that `field` names.
pub(crate) fn at(field: &str, error: &io::Error) -> WireError {
    let (kind, message) = match error.raw_os_error() {
        Some(libc::ENOENT) => (ErrorKind::NotFound, "there is no such file or directory"),
        Some(libc::ENOTDIR) => (
            ErrorKind::Conflict,
            "something on the way is not a directory",
        ),
        Some(libc::EISDIR) => (ErrorKind::Conflict, "is a directory"),
        Some(libc::EEXIST) => (ErrorKind::Conflict, "something is in the way"),
        Some(libc::ENOTEMPTY) => (ErrorKind::Conflict, "is a directory that is not empty"),
        Some(libc::ELOOP) => (ErrorKind::NotFound, "is a link that leads nowhere"),
        Some(libc::EBUSY) => (ErrorKind::Conflict, "is a mount point or in use"),
        Some(libc::ETXTBSY) => (ErrorKind::Conflict, "is a program that runs"),
        Some(libc::EXDEV) => (ErrorKind::Unsupported, "is on another file system"),
        Some(libc::ENXIO) => (ErrorKind::Conflict, "is not a regular file"),
        Some(libc::EROFS) => (ErrorKind::PermissionDenied, "is on a read-only file system"),
        Some(libc::EACCES | libc::EPERM) => (
            ErrorKind::PermissionDenied,
            "the sandbox's user may not do this",
        ),
        Some(libc::ENOSPC) => (ErrorKind::LimitExceeded, "the disk is full"),
        Some(libc::EDQUOT) => (ErrorKind::LimitExceeded, "the disk quota is used up"),
        Some(libc::EFBIG) => (ErrorKind::LimitExceeded, "the file is too large"),
        Some(libc::ENAMETOOLONG) => (ErrorKind::InvalidSpec, "a name is too long"),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
            (ErrorKind::LimitExceeded, "too many files are open")
        }
        _ => return WireError::of(ErrorKind::Internal, field, error.to_string()),
    };
    WireError::of(kind, field, message)
}
