//! Terminals.
#![expect(unsafe_code, reason = "terminals are set up by ioctl")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use sandbox_core::PtySize;

use crate::agent::sys::fd::{check, own};

/// A new terminal: the side to read and write, and the side that a process gets.
pub(super) fn open(size: PtySize, owner: Option<u32>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // Some images mount a devpts of their own and have no /dev/ptmx.
    let master = open_path(c"/dev/ptmx", flags).or_else(|_| open_path(c"/dev/pts/ptmx", flags))?;
    let unlock: libc::c_int = 0;
    // SAFETY: the kernel reads one int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &unlock) })?;
    // SAFETY: no memory is involved.
    let slave = own(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) });
    let slave = slave.or_else(|_| open_by_number(&master, flags))?;
    resize(master.as_raw_fd(), size)?;
    if let Some(uid) = owner {
        // Best effort: only programs that open the terminal by name need it.
        // SAFETY: no memory is involved.
        unsafe { libc::fchown(slave.as_raw_fd(), uid, u32::MAX) };
    }
    Ok((master, slave))
}

/// For kernels that cannot open the other side by itself (before 4.13, and some that only look
/// like Linux).
fn open_by_number(master: &OwnedFd, flags: i32) -> io::Result<OwnedFd> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the kernel writes one int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &mut number) })?;
    let path = std::ffi::CString::new(format!("/dev/pts/{number}"))?;
    open_path(&path, flags)
}

fn open_path(path: &std::ffi::CStr, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: the path ends with a zero.
    own(unsafe { libc::open(path.as_ptr(), flags) })
}

/// Changes the size and tells the foreground process group.
pub(super) fn resize(master: RawFd, size: PtySize) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel reads one winsize.
    check(unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &size) })?;
    Ok(())
}
