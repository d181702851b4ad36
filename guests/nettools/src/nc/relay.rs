//! Bytes between the standard streams and a socket, both ways at once.

use std::io;

use sandbox_guest::poll::{self, Event};
use sandbox_guest::socket::Socket;
use sandbox_guest::{errno, fd};

use super::options::Options;

/// Until the other side has ended, or nothing came for as long as the options say. The end of the
/// standard input is passed on.
pub(super) fn run(options: &Options, socket: &Socket) -> io::Result<()> {
    let number = socket.number();
    let mut bytes = vec![0; 32 << 10];
    let mut input = true;
    loop {
        let events = [Event::Readable(number), Event::Readable(0)];
        let waited = if input { &events[..] } else { &events[..1] };
        let ready = match poll::wait(waited, options.patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            ready => ready?,
        };
        if ready.is_empty() {
            return Ok(());
        }
        if ready.contains(&0) {
            let count = errno::retry(|| fd::read(number, &mut bytes))?;
            if count == 0 && !options.datagrams {
                return Ok(());
            }
            fd::write_all(1, &bytes[..count])?;
        }
        if ready.contains(&1) {
            let count = errno::retry(|| fd::read(0, &mut bytes))?;
            if count > 0 {
                fd::write_all(number, &bytes[..count])?;
                continue;
            }
            input = false;
            // The other side may be gone already, and datagrams have no end.
            if !options.datagrams {
                let _ = socket.shutdown_write();
            }
        }
    }
}
