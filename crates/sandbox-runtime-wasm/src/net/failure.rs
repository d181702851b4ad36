//! What the host's errors are for a guest.

use std::io;

use crate::kernel::Errno;

/// The guest's error for what the host's socket failed with.
pub(super) fn errno(error: &io::Error) -> Errno {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Errno::CONNREFUSED,
        Kind::ConnectionReset => Errno::CONNRESET,
        Kind::ConnectionAborted => Errno::CONNABORTED,
        Kind::HostUnreachable => Errno::HOSTUNREACH,
        Kind::NetworkUnreachable => Errno::NETUNREACH,
        Kind::NotConnected => Errno::NOTCONN,
        Kind::AddrInUse => Errno::ADDRINUSE,
        // A host without this family has no address of its own for it.
        Kind::AddrNotAvailable => Errno::NETUNREACH,
        Kind::BrokenPipe => Errno::PIPE,
        Kind::WouldBlock => Errno::AGAIN,
        Kind::TimedOut => Errno::TIMEDOUT,
        Kind::Interrupted => Errno::INTR,
        Kind::OutOfMemory => Errno::NOMEM,
        // The host's own packet filter, or a broadcast address.
        Kind::PermissionDenied => Errno::ACCES,
        Kind::InvalidInput => Errno::INVAL,
        Kind::Unsupported => Errno::NOTSUP,
        _ => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => Errno::NFILE,
            Some(libc::ENOBUFS) => Errno::NOBUFS,
            Some(libc::EMSGSIZE) => Errno::MSGSIZE,
            Some(libc::EAFNOSUPPORT) => Errno::AFNOSUPPORT,
            Some(libc::EPROTONOSUPPORT) => Errno::PROTONOSUPPORT,
            _ => Errno::IO,
        },
    }
}
