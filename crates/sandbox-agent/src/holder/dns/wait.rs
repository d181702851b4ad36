//! Waiting for the first of several sockets.
#![expect(unsafe_code, reason = "poll is a C function")]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Instant;

/// Waits until one of `sockets` can be read, or has failed, or `until` has come. Where there is
/// nothing to wait for, it waits all the same.
pub(super) fn readable<'a>(
    sockets: impl Iterator<Item = &'a UdpSocket>,
    until: Instant,
) -> io::Result<()> {
    let mut waiting: Vec<libc::pollfd> = sockets
        .map(|socket| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: never too early.
        let millis = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let count = waiting.len() as libc::nfds_t;
        // SAFETY: the pointer and the count are those of a vector that outlives the call, and its
        // descriptors are borrowed from open sockets.
        let code = unsafe { libc::poll(waiting.as_mut_ptr(), count, millis) };
        if code >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
