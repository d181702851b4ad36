//! What the kernel tells by itself.
#![expect(unsafe_code, reason = "bind is a C function")]

use std::io;
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::attributes::find;
use super::batch::SUBSYSTEM;
use super::socket;

/// The group that hears of changes, the seventh, as a bit.
const CHANGES: u32 = 1 << 6;
const NEW_OBJECT: u16 = 18;

/// Hears of alarms ([`Batch::alarm`](super::batch::Batch::alarm)) in this network namespace.
#[derive(Debug)]
pub(crate) struct Notices(Socket);

impl Notices {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = socket::open(None)?;
        // SAFETY: an address of zeroes is one: the kernel's choice of a number.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = CHANGES;
        let length = size_of_val(&address) as libc::socklen_t;
        // Bound, so that it has a number: the kernel tells nothing to a socket without one.
        // SAFETY: the descriptor is open, and the pointer is to an address that outlives the call.
        let code = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(socket))
    }

    /// Waits until an alarm may have gone off. It tells one too many rather than one too few: of
    /// alarms that are made anew, and of more than the socket could keep.
    pub(crate) fn wait(&self) -> io::Result<()> {
        loop {
            let messages = match socket::receive(&self.0) {
                Ok(messages) => messages,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                Err(error) => return Err(error),
            };
            if messages.iter().any(|message| {
                message.kind == SUBSYSTEM << 8 | NEW_OBJECT && is_alarm(message.attributes())
            }) {
                return Ok(());
            }
        }
    }
}

fn is_alarm(object: &[u8]) -> bool {
    const TYPE: u16 = 3;
    find(object, TYPE) == Some(&super::batch::QUOTA.to_be_bytes())
}
