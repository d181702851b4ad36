//! What a call failed with.

use std::fmt;

use sandbox_core::{Error, ErrorKind};

/// A result whose error is an [`Errno`].
pub type Result<T, E = Errno> = std::result::Result<T, E>;

/// Why a call failed, with the meaning Linux gives the name. A call that fails has changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Errno {
    /// `EBADF`: no such handle, or it was not opened for this.
    BadHandle,
    /// `EBUSY`: the root, or a path that ends in `.` or `..`, cannot be moved or removed.
    Busy,
    /// `EEXIST`: the name is taken.
    Exists,
    /// `EFBIG`: past [`Limits::file_bytes`](super::Limits::file_bytes).
    FileTooBig,
    /// `EINVAL`: an argument makes no sense, such as a NUL in a path or a move into itself.
    Invalid,
    /// `EISDIR`: a directory where none may be.
    IsDirectory,
    /// `ELOOP`: more than 40 links on the way, or a link where none may be followed.
    Loop,
    /// `EMLINK`: more than [`MAX_LINKS`](super::MAX_LINKS) names for one file.
    TooManyLinks,
    /// `ENAMETOOLONG`: a name over 255 bytes, or a path over 4096.
    NameTooLong,
    /// `ENFILE`: more than [`MAX_HANDLES`](super::MAX_HANDLES) files are open.
    TooManyHandles,
    /// `ENOENT`: nothing of this name, or an empty path.
    NotFound,
    /// `ENOSPC`: past the quota of bytes or inodes.
    NoSpace,
    /// `ENOTDIR`: something on the way is not a directory.
    NotDirectory,
    /// `ENOTEMPTY`: a directory with entries in it.
    NotEmpty,
    /// `EPERM`: directories have one name only.
    NotPermitted,
}

impl Errno {
    /// The name Linux has for it, such as `ENOENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadHandle => "EBADF",
            Self::Busy => "EBUSY",
            Self::Exists => "EEXIST",
            Self::FileTooBig => "EFBIG",
            Self::Invalid => "EINVAL",
            Self::IsDirectory => "EISDIR",
            Self::Loop => "ELOOP",
            Self::TooManyLinks => "EMLINK",
            Self::NameTooLong => "ENAMETOOLONG",
            Self::TooManyHandles => "ENFILE",
            Self::NotFound => "ENOENT",
            Self::NoSpace => "ENOSPC",
            Self::NotDirectory => "ENOTDIR",
            Self::NotEmpty => "ENOTEMPTY",
            Self::NotPermitted => "EPERM",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::BadHandle => "not an open file of the right kind",
            Self::Busy => "cannot be moved or removed",
            Self::Exists => "exists already",
            Self::FileTooBig => "the file would be larger than a file may be",
            Self::Invalid => "is not valid here",
            Self::IsDirectory => "is a directory",
            Self::Loop => "leads through too many symbolic links",
            Self::TooManyLinks => "the file has too many names",
            Self::NameTooLong => "is too long: a name has at most 255 bytes, a path 4096",
            Self::TooManyHandles => "too many files are open",
            Self::NotFound => "does not exist",
            Self::NoSpace => "the disk is full",
            Self::NotDirectory => "something on the way is not a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::NotPermitted => "a directory has one name only",
        }
    }

    const fn kind(self) -> ErrorKind {
        match self {
            Self::Invalid | Self::NameTooLong => ErrorKind::InvalidSpec,
            Self::NotFound => ErrorKind::NotFound,
            Self::NotPermitted => ErrorKind::PermissionDenied,
            Self::FileTooBig | Self::NoSpace | Self::TooManyHandles | Self::TooManyLinks => {
                ErrorKind::LimitExceeded
            }
            Self::Busy
            | Self::Exists
            | Self::IsDirectory
            | Self::Loop
            | Self::NotDirectory
            | Self::NotEmpty => ErrorKind::Conflict,
            // A handle is the kernel's own: no caller of a sandbox can name a wrong one.
            Self::BadHandle => ErrorKind::Internal,
        }
    }

    /// This as the error of `operation`, caused by the request's `field`.
    pub fn into_error(self, operation: &'static str, field: &str) -> Error {
        Error::new(self.kind(), operation, self.text())
            .with_field(field)
            .with_source(self)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.text())
    }
}

impl std::error::Error for Errno {}
