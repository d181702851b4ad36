//! The kernel's error numbers: those of WASI preview 1.

use std::io;

/// Argument list or state too long.
pub const TOO_BIG: i32 = 1;
/// Permission denied.
pub const ACCES: i32 = 2;
/// Address in use.
pub const ADDRINUSE: i32 = 3;
/// Try again: a limit on processes was reached, or a descriptor without blocking has nothing.
pub const AGAIN: i32 = 6;
/// Bad file descriptor.
pub const BADF: i32 = 8;
/// No such child.
pub const CHILD: i32 = 12;
/// Connection refused.
pub const CONNREFUSED: i32 = 14;
/// File exists.
pub const EXIST: i32 = 20;
/// A signal was caught while the call waited.
pub const INTR: i32 = 27;
/// Invalid argument.
pub const INVAL: i32 = 28;
/// Is a directory.
pub const ISDIR: i32 = 31;
/// Too many levels of symbolic links.
pub const LOOP: i32 = 32;
/// Too many open files.
pub const MFILE: i32 = 33;
/// Name too long.
pub const NAMETOOLONG: i32 = 37;
/// No such file or directory.
pub const NOENT: i32 = 44;
/// Not an executable format.
pub const NOEXEC: i32 = 45;
/// Not enough memory.
pub const NOMEM: i32 = 48;
/// The kernel does not offer this call.
pub const NOSYS: i32 = 52;
/// Not a directory.
pub const NOTDIR: i32 = 54;
/// Operation not permitted.
pub const PERM: i32 = 63;
/// Nobody reads from the pipe.
pub const PIPE: i32 = 64;
/// The result does not fit.
pub const RANGE: i32 = 68;
/// No such process.
pub const SRCH: i32 = 71;

/// `Ok` for 0, otherwise the error that `errno` means.
pub(crate) fn check(errno: i32) -> io::Result<()> {
    match errno {
        0 => Ok(()),
        errno => Err(error(errno)),
    }
}

/// The error that `errno` means.
#[must_use]
pub fn error(errno: i32) -> io::Error {
    if cfg!(target_os = "wasi") {
        io::Error::from_raw_os_error(errno)
    } else {
        // Another system numbers its errors otherwise; only NOSYS ever comes from here.
        io::Error::from(io::ErrorKind::Unsupported)
    }
}

/// Whether `error` carries `errno`.
#[must_use]
pub fn is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}

/// Calls `call` until it ends otherwise than by an interrupting signal.
pub fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if is(&error, INTR) => {}
            other => return other,
        }
    }
}
