//! Packets in and out of the standard streams.

use std::io;
use std::os::fd::AsRawFd;

use super::sys::fd;
use super::sys::poller::{READ, Registered, WRITE};
use super::{Agent, Source};
use crate::protocol::{Damaged, Decoder, Encoder, Header, Packet};

/// Streams are not asked for more while this many bytes wait to be written.
pub(super) const STREAM_LIMIT: usize = 128 * 1024;
/// Requests are not read while this many bytes wait to be written.
const REQUEST_LIMIT: usize = 1 << 20;
/// Written memory above this is given back once it is empty.
const KEPT: usize = 256 * 1024;

/// The two ends and what waits on them.
#[derive(Debug)]
pub(super) struct Link {
    input: Registered,
    output: Registered,
    pub(super) decoder: Decoder,
    encoder: Encoder,
    out: Vec<u8>,
    written: usize,
}

impl Link {
    pub(super) fn new(input: Registered, output: Registered) -> Self {
        Self {
            input,
            output,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            out: Vec::new(),
            written: 0,
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    pub(super) fn packet(&mut self, header: &Header, body: &[u8]) {
        self.encoder.packet(header, body, &mut self.out);
    }

    pub(super) fn message(&mut self, header: Header, body: &[u8]) {
        self.encoder.message(header, body, &mut self.out);
    }

    fn write(&mut self) -> io::Result<()> {
        while self.waiting() > 0 {
            self.written += fd::write(self.output.as_raw_fd(), &self.out[self.written..])?;
        }
        Ok(())
    }

    fn tidy(&mut self) {
        if self.waiting() == 0 {
            self.out.clear();
            self.written = 0;
            self.out.shrink_to(KEPT);
        } else if self.written > KEPT {
            self.out.drain(..self.written);
            self.written = 0;
        }
    }
}

impl Agent {
    /// Reads what the client sent.
    pub(super) fn read_link(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        match fd::read(self.link.input.as_raw_fd(), &mut buffer) {
            Ok(0) => self.close_link_input(),
            Ok(got) => self.take_bytes(&buffer[..got]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.close_link_input(),
        }
        self.buffer = buffer;
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        let mut decoder = std::mem::take(&mut self.link.decoder);
        decoder.feed(bytes, |packet: Result<Packet, Damaged>| match packet {
            Ok(packet) => self.take_packet(packet),
            Err(Damaged) => self.tell_garbled(),
        });
        self.link.decoder = decoder;
    }

    /// Nobody can attach any more; what runs goes on.
    fn close_link_input(&mut self) {
        let result = self.poller.set(&mut self.link.input, 0);
        self.note(result);
        self.input_closed = true;
    }

    /// Writes what waits, as far as it goes, and decides what to wait for.
    pub(super) fn write_link(&mut self) {
        let blocked = match self.link.write() {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => {
                // Nobody reads any more. Everything is kept for whoever attaches.
                self.link.out.clear();
                self.link.written = 0;
                false
            }
        };
        self.link.tidy();
        let result = self
            .poller
            .set(&mut self.link.output, if blocked { WRITE } else { 0 });
        self.note(result);
        self.listen();
    }

    /// Reads requests only while the answers to earlier ones do not pile up.
    pub(super) fn listen(&mut self) {
        let wanted = !self.input_closed && self.link.waiting() < REQUEST_LIMIT;
        let result = self
            .poller
            .set(&mut self.link.input, if wanted { READ } else { 0 });
        self.note(result);
    }
}

/// Takes the standard streams for the link.
pub(super) fn open(poller: &mut super::sys::poller::Poller<Source>) -> io::Result<Link> {
    let input = fd::duplicate(&fd::standard(0))?;
    let output = fd::duplicate(&fd::standard(1))?;
    fd::set_nonblocking(&input)?;
    fd::set_nonblocking(&output)?;
    let input = poller.add(input, Source::LinkInput);
    let output = poller.add(output, Source::LinkOutput);
    Ok(Link::new(input, output))
}
