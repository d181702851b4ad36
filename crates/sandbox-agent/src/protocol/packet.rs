//! Packets: the unit that is sent whole, checked whole, and skipped whole when damaged.

use bytes::Bytes;

use super::cobs;

/// The most bytes the body of a packet has.
pub const MAX_BODY: usize = 60 * 1024;
/// The most bytes of a stream that are put into one packet, so that channels take turns.
pub const DATA_CHUNK: usize = 32 * 1024;

const HEADER: usize = 22;
const CHECKSUM: usize = 4;
const MAX_ENCODED: usize = cobs::max_encoded_len(HEADER + MAX_BODY + CHECKSUM);

/// What a packet means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// To the agent: a client takes the lease. Body: [`Hello`](super::Hello).
    Hello = 1,
    /// To the client: the lease is its own. Body: [`Welcome`](super::Welcome).
    Welcome = 2,
    /// To the client: another one has taken the lease.
    LeaseLost = 3,
    /// To the client: a damaged packet arrived, so something may be missing.
    Garbled = 4,
    /// To the agent: a [`Request`](super::Request), which opens its channel.
    Request = 5,
    /// To the client: a [`Reply`](super::Reply) or an error, once per request.
    Reply = 6,
    /// Both ways: bytes of a channel's stream at `offset`; the tag is their [`Tag`](super::Tag).
    Data = 7,
    /// Both ways: everything before `offset` was taken in.
    Ack = 8,
    /// To the agent: the channel is no longer wanted (tag 0), or its output is not (tag 1). To
    /// the client: nobody takes what is sent on the channel.
    Cancel = 9,
    /// To the client: a [`Notice`](super::Notice), outside the channel's stream.
    Notice = 10,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Welcome,
            3 => Self::LeaseLost,
            4 => Self::Garbled,
            5 => Self::Request,
            6 => Self::Reply,
            7 => Self::Data,
            8 => Self::Ack,
            9 => Self::Cancel,
            10 => Self::Notice,
            _ => return None,
        })
    }
}

/// The fields in front of every body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The client's lease: who sent it, or whom it is for.
    pub lease: u64,
    /// The channel; zero for none.
    pub channel: u32,
    /// Where in the channel's stream.
    pub offset: u64,
    /// What it means.
    pub kind: Kind,
    /// What it means in particular; for messages, [`MORE`] or zero.
    pub tag: u8,
}

/// The tag of a part of a message that is not its last.
pub const MORE: u8 = 1;

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its fields.
    pub header: Header,
    /// Its body, at most [`MAX_BODY`] bytes.
    pub body: Bytes,
}

/// Bytes between two zeros that are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Appends packets to a buffer. Keeps its working memory between packets.
#[derive(Debug, Default)]
pub struct Encoder {
    plain: Vec<u8>,
}

impl Encoder {
    /// Appends one packet, its ending zero included, to `out`.
    ///
    /// # Panics
    /// When `body` has more than [`MAX_BODY`] bytes.
    pub fn packet(&mut self, header: &Header, body: &[u8], out: &mut Vec<u8>) {
        assert!(body.len() <= MAX_BODY, "the caller splits bodies");
        let plain = &mut self.plain;
        plain.clear();
        plain.extend_from_slice(&header.lease.to_le_bytes());
        plain.extend_from_slice(&header.channel.to_le_bytes());
        plain.extend_from_slice(&header.offset.to_le_bytes());
        plain.push(header.kind as u8);
        plain.push(header.tag);
        plain.extend_from_slice(body);
        let checksum = crc32fast::hash(plain);
        plain.extend_from_slice(&checksum.to_le_bytes());
        cobs::encode(plain, out);
        out.push(0);
    }

    /// Appends a message of any length to `out`, in as many packets as it needs.
    pub fn message(&mut self, mut header: Header, message: &[u8], out: &mut Vec<u8>) {
        let mut rest = message;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(MAX_BODY));
            header.tag = if tail.is_empty() { 0 } else { MORE };
            self.packet(&header, part, out);
            if tail.is_empty() {
                return;
            }
            rest = tail;
        }
    }
}

/// Finds packets in a stream of bytes. Whatever it is fed, it holds at most one packet's bytes,
/// and it is in step again after the next zero.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    overlong: bool,
}

impl Decoder {
    /// Takes `input` and hands every packet that is now complete to `sink`.
    pub fn feed(&mut self, input: &[u8], mut sink: impl FnMut(Result<Packet, Damaged>)) {
        let mut rest = input;
        while let Some(end) = memchr::memchr(0, rest) {
            let (part, tail) = (&rest[..end], &rest[end + 1..]);
            rest = tail;
            if self.pending.is_empty() && !self.overlong {
                if !part.is_empty() {
                    sink(parse(part));
                }
                continue;
            }
            self.keep(part);
            let overlong = std::mem::take(&mut self.overlong);
            let pending = std::mem::take(&mut self.pending);
            sink(if overlong {
                Err(Damaged)
            } else {
                parse(&pending)
            });
            self.pending = pending;
            self.pending.clear();
        }
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        if self.overlong || self.pending.len() + part.len() > MAX_ENCODED {
            self.overlong = true;
            self.pending.clear();
        } else {
            self.pending.extend_from_slice(part);
        }
    }
}

fn parse(encoded: &[u8]) -> Result<Packet, Damaged> {
    if encoded.len() > MAX_ENCODED {
        return Err(Damaged);
    }
    let mut plain = Vec::with_capacity(encoded.len());
    cobs::decode(encoded, &mut plain).ok_or(Damaged)?;
    let (content, checksum) = plain.split_last_chunk::<CHECKSUM>().ok_or(Damaged)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return Err(Damaged);
    }
    let header = parse_header(content).ok_or(Damaged)?;
    let end = content.len();
    let body = Bytes::from(plain).slice(HEADER..end);
    Ok(Packet { header, body })
}

fn parse_header(content: &[u8]) -> Option<Header> {
    if content.len() - HEADER.min(content.len()) > MAX_BODY {
        return None;
    }
    let (lease, rest) = content.split_first_chunk::<8>()?;
    let (channel, rest) = rest.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let ([kind, tag], _) = rest.split_first_chunk::<2>()?;
    Some(Header {
        lease: u64::from_le_bytes(*lease),
        channel: u32::from_le_bytes(*channel),
        offset: u64::from_le_bytes(*offset),
        kind: Kind::from_byte(*kind)?,
        tag: *tag,
    })
}

/// Puts the parts of messages together, at most `limit` bytes of unfinished ones at a time.
#[derive(Debug)]
pub struct Assembler {
    limit: usize,
    held: usize,
    parts: std::collections::HashMap<(u8, u32), Vec<u8>>,
}

/// A message longer than the receiver takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Assembler {
    /// An assembler that holds at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: 0,
            parts: std::collections::HashMap::new(),
        }
    }

    /// Takes one packet of a message; `Some` is the message, now whole.
    ///
    /// # Errors
    /// [`TooLong`] when the limit is passed; the message is forgotten.
    pub fn take(&mut self, packet: Packet) -> Result<Option<Bytes>, TooLong> {
        let key = (packet.header.kind as u8, packet.header.channel);
        let more = packet.header.tag == MORE;
        let mut parts = match self.parts.remove(&key) {
            Some(parts) => parts,
            None if !more => return Ok(Some(packet.body)),
            None => Vec::new(),
        };
        self.held -= parts.len();
        if self.held + parts.len() + packet.body.len() > self.limit {
            return Err(TooLong);
        }
        parts.extend_from_slice(&packet.body);
        if !more {
            return Ok(Some(Bytes::from(parts)));
        }
        // An empty part would cost an entry and count for nothing.
        if !parts.is_empty() {
            self.held += parts.len();
            self.parts.insert(key, parts);
        }
        Ok(None)
    }

    /// Forgets every unfinished message.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.held = 0;
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
