//! Bytes between the standard streams and a socket, both ways at once.

use std::io;

use sandbox_guest::fd::Kind;
use sandbox_guest::poll::{self, Event};
use sandbox_guest::socket::Socket;
use sandbox_guest::{errno, fd};

use super::options::Options;

/// Until both ways have ended, or nothing came for as long as the options say. The end of the
/// standard input is passed on. When the other side has ended first, what a pipe or a file has for
/// it is still sent; nobody waits for what somebody may type.
pub(super) fn run(options: &Options, socket: &Socket) -> io::Result<()> {
    let mut relay = Relay {
        options,
        socket,
        bytes: vec![0; 32 << 10],
        input: true,
        output: true,
    };
    while relay.input || relay.output {
        if !relay.step()? {
            break;
        }
    }
    Ok(())
}

struct Relay<'a> {
    options: &'a Options,
    socket: &'a Socket,
    bytes: Vec<u8>,
    /// Whether the standard input may have more.
    input: bool,
    /// Whether the other side may have more.
    output: bool,
}

impl Relay<'_> {
    /// Moves what has come; `false` when nothing did for too long.
    fn step(&mut self) -> io::Result<bool> {
        let sides = [(self.output, self.socket.number()), (self.input, 0)];
        let open = sides.into_iter().filter(|(open, _)| *open);
        let events: Vec<_> = open.map(|(_, number)| Event::Readable(number)).collect();
        let ready = match poll::wait(&events, self.options.patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            ready => ready?,
        };
        for &index in &ready {
            match events[index] {
                Event::Readable(0) => self.send()?,
                _ => self.receive()?,
            }
        }
        Ok(!ready.is_empty())
    }

    fn receive(&mut self) -> io::Result<()> {
        let number = self.socket.number();
        let count = errno::retry(|| fd::read(number, &mut self.bytes))?;
        if count > 0 {
            return fd::write_all(1, &self.bytes[..count]);
        }
        // An empty datagram is no end.
        if !self.options.datagrams {
            self.output = false;
            self.input &= matches!(fd::kind(0)?, Kind::File | Kind::Other);
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        let count = errno::retry(|| fd::read(0, &mut self.bytes))?;
        if count > 0 {
            return fd::write_all(self.socket.number(), &self.bytes[..count]);
        }
        self.input = false;
        // The other side may be gone already, and datagrams have no end.
        if !self.options.datagrams {
            let _ = self.socket.shutdown_write();
        }
        Ok(())
    }
}
