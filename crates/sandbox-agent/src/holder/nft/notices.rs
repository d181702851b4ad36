//! What the kernel tells by itself.
#![expect(unsafe_code, reason = "setsockopt is a C function")]

use std::io;
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::attributes::find;
use super::batch::SUBSYSTEM;
use super::socket;

/// The group of the netlink socket that hears of changes.
const CHANGES: libc::c_int = 7;
const NEW_OBJECT: u16 = 18;

/// Hears of alarms ([`Batch::alarm`](super::batch::Batch::alarm)) in this network namespace.
#[derive(Debug)]
pub(crate) struct Notices(Socket);

impl Notices {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = socket::open(None)?;
        let group = CHANGES;
        let length = size_of_val(&group) as libc::socklen_t;
        // SAFETY: the descriptor is open, and the pointer is to an int that outlives the call.
        let code = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_NETLINK,
                libc::NETLINK_ADD_MEMBERSHIP,
                (&raw const group).cast(),
                length,
            )
        };
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
