//! File descriptors.
#![expect(unsafe_code, reason = "file descriptors come from system calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Turns the result of a system call into a result.
pub(crate) fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Owns a descriptor that a system call returned.
pub(crate) fn own(result: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel just made this descriptor, and nobody else knows its number.
    check(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A pipe: reading end, writing end; closed on exec.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((own(ends[0])?, own(ends[1])?))
}

/// An event counter; closed on exec, never blocks.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Makes reads and writes return instead of waiting.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// A second descriptor of the same open file.
pub(crate) fn duplicate(fd: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    own(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) })
}

/// Reads what there is, at most the length of `buffer`; `Ok(0)` is the end.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the kernel writes at most `len` bytes into the buffer.
        let got = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(got) {
            Ok(got) => return Ok(got),
            Err(_) => retry_interrupted()?,
        }
    }
}

/// Writes as much as there is room for.
pub(crate) fn write(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the kernel reads at most `len` bytes from the slice.
        let put = unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
        match usize::try_from(put) {
            Ok(put) => return Ok(put),
            Err(_) => retry_interrupted()?,
        }
    }
}

fn retry_interrupted() -> io::Result<()> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

/// Bytes that wait to be read.
pub(crate) fn readable(fd: &impl AsRawFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one int.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut count) };
    if result < 0 {
        return 0;
    }
    usize::try_from(count).unwrap_or(0)
}

/// The standard streams, which stay open as long as the process.
pub(crate) fn standard(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: `open_standard` made sure that 0 to 2 are open, and nothing closes them.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Opens `/dev/null` for every standard stream that is closed, so that no other file takes its
/// number.
pub(crate) fn open_standard() {
    for fd in 0..3 {
        // SAFETY: no memory is involved.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            // SAFETY: the path is a constant; the lowest free number is `fd`. Where there is no
            // /dev/null the number stays free, which costs a stream and nothing more.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}

/// Closes everything but the standard streams: what whoever started this program left open is
/// nothing to what it starts.
pub(crate) fn close_inherited() {
    // SAFETY: nothing in this program owns a descriptor yet.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) != 0 {
            // Before Linux 5.9.
            for fd in 3..1024 {
                libc::close(fd);
            }
        }
    }
}

/// 64 random bits.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the kernel writes at most eight bytes.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 8 {
        return u64::from_ne_bytes(bytes);
    }
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
