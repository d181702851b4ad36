//! Questions and answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::{self, WireName};

const HEADER: usize = 12;
const IN: u16 = 1;
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const OPT: u16 = 41;
/// Transfers and "any" are not lookups.
const FIRST_META: u16 = 128;
const LAST_META: u16 = 255;
/// What upstream resolvers may answer with over UDP, as most of them would choose themselves.
pub(super) const UDP_SIZE: u16 = 1232;

/// The most aliases followed in one answer: resolvers give up sooner, and the owner of a name could
/// otherwise make the holder compare thousands of names with each other.
const MAX_ALIASES: usize = 16;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Malformed = 1,
    Unavailable = 2,
    Unknown = 4,
    Refused = 5,
}

/// One question, as a program asked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) id: u16,
    pub(super) name: WireName,
    kind: u16,
    /// The largest answer the asker takes over UDP.
    pub(super) udp_size: usize,
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    let bytes = message.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes))
}

impl Question {
    /// Reads a query. On an error, the answer to send, if there is anything to answer.
    pub(super) fn read(message: &[u8]) -> Result<Self, Option<Vec<u8>>> {
        let Some(id) = u16_at(message, 0).filter(|_| message.len() >= HEADER) else {
            return Err(None);
        };
        let fail = |failure| Err(Some(bare_failure(id, failure)));
        let flags = u16_at(message, 2).unwrap_or(RESPONSE);
        if flags & RESPONSE != 0 {
            return Err(None);
        }
        if flags & OPCODE != 0 {
            return fail(Failure::Unknown);
        }
        let counts = [4, 6, 8].map(|at| u16_at(message, at));
        if counts != [Some(1), Some(0), Some(0)] {
            return fail(Failure::Malformed);
        }
        let Some((name, at)) = name::read(message, HEADER) else {
            return fail(Failure::Refused);
        };
        let (Some(kind), Some(class)) = (u16_at(message, at), u16_at(message, at + 2)) else {
            return fail(Failure::Malformed);
        };
        if class != IN || (FIRST_META..=LAST_META).contains(&kind) || kind == OPT || kind == 0 {
            return fail(Failure::Refused);
        }
        Ok(Self {
            id,
            name,
            kind,
            udp_size: edns_size(message, at + 4).unwrap_or(512).into(),
        })
    }

    fn encode(&self, id: u16, flags: u16, additional: u16) -> Vec<u8> {
        let mut message = Vec::with_capacity(64);
        for field in [id, flags, 1, 0, 0, additional] {
            message.extend(field.to_be_bytes());
        }
        self.name.encode(&mut message);
        message.extend(self.kind.to_be_bytes());
        message.extend(IN.to_be_bytes());
        message
    }

    /// The same question as one of ours.
    pub(super) fn to_upstream(&self, id: u16) -> Vec<u8> {
        let mut message = self.encode(id, RECURSION_DESIRED, 1);
        message.push(0);
        for field in [OPT, UDP_SIZE, 0, 0, 0] {
            message.extend(field.to_be_bytes());
        }
        message
    }

    /// An answer without records.
    pub(super) fn failure(&self, failure: Failure) -> Vec<u8> {
        let flags = RESPONSE | RECURSION_DESIRED | RECURSION_AVAILABLE | failure as u16;
        self.encode(self.id, flags, 0)
    }

    /// An answer that says to ask again over TCP.
    pub(super) fn truncated(&self) -> Vec<u8> {
        let flags = RESPONSE | RECURSION_DESIRED | RECURSION_AVAILABLE | TRUNCATED;
        self.encode(self.id, flags, 0)
    }

    /// Whether `response` answers this question, asked with `id`.
    pub(super) fn is_answered_by(&self, id: u16, response: &[u8]) -> bool {
        let asked = || {
            let (name, at) = name::read(response, HEADER)?;
            let same = name.name() == self.name.name()
                && u16_at(response, at)? == self.kind
                && u16_at(response, at + 2)? == IN;
            same.then_some(())
        };
        u16_at(response, 0) == Some(id)
            && u16_at(response, 2).is_some_and(|flags| flags & RESPONSE != 0)
            && u16_at(response, 4) == Some(1)
            && asked().is_some()
    }

    /// Addresses in `response` that belong to the name asked for: its own, and those of the
    /// names it is an alias of.
    pub(super) fn addresses(&self, response: &[u8]) -> Vec<IpAddr> {
        let mut names = vec![self.name.name().clone()];
        let mut found = Vec::new();
        for record in records(response) {
            let belongs = |owner: WireName| names.contains(owner.name());
            if !record.owner.is_some_and(belongs) {
                continue;
            }
            match record.value {
                Value::Alias(target) if names.len() <= MAX_ALIASES => {
                    names.push(target.name().clone());
                }
                Value::Alias(_) => {}
                Value::Address(address) => found.push(address),
                Value::Other => {}
            }
        }
        found
    }
}

/// Whether a response was cut short.
pub(super) fn is_truncated(response: &[u8]) -> bool {
    u16_at(response, 2).is_some_and(|flags| flags & TRUNCATED != 0)
}

/// Whether a response says that the resolver could not or would not answer; that there is no such
/// name is an answer.
pub(super) fn is_failure(response: &[u8]) -> bool {
    const NO_SUCH_NAME: u16 = 3;
    let code = u16_at(response, 2).map_or(0, |flags| flags & 0xf);
    code != 0 && code != NO_SUCH_NAME
}

/// `response` under another id.
pub(super) fn with_id(mut response: Vec<u8>, id: u16) -> Vec<u8> {
    if let Some(field) = response.get_mut(..2) {
        field.copy_from_slice(&id.to_be_bytes());
    }
    response
}

fn bare_failure(id: u16, failure: Failure) -> Vec<u8> {
    let flags = RESPONSE | RECURSION_AVAILABLE | failure as u16;
    let mut message = Vec::with_capacity(HEADER);
    for field in [id, flags, 0, 0, 0, 0] {
        message.extend(field.to_be_bytes());
    }
    message
}

fn edns_size(message: &[u8], at: usize) -> Option<u16> {
    let additional = u16_at(message, 10)?;
    let is_option = additional > 0 && *message.get(at)? == 0 && u16_at(message, at + 1)? == OPT;
    is_option
        .then(|| u16_at(message, at + 3))?
        .map(|size| size.max(512))
}

enum Value {
    Alias(WireName),
    Address(IpAddr),
    Other,
}

struct Record {
    owner: Option<WireName>,
    value: Value,
}

/// The answer section, up to the first record that does not parse.
fn records(response: &[u8]) -> impl Iterator<Item = Record> + '_ {
    let count = u16_at(response, 6).unwrap_or(0);
    let mut at = name::skip(response, HEADER).map(|after| after + 4);
    (0..count).map_while(move |_| {
        let (record, after) = record(response, at?)?;
        at = Some(after);
        Some(record)
    })
}

fn record(response: &[u8], start: usize) -> Option<(Record, usize)> {
    let at = name::skip(response, start)?;
    let owner = name::read(response, start).map(|(owner, _)| owner);
    let (kind, class) = (u16_at(response, at)?, u16_at(response, at + 2)?);
    let (data, length) = (at + 10, usize::from(u16_at(response, at + 8)?));
    let bytes = response.get(data..data + length)?;
    let value = match (class, kind) {
        (IN, A) => Value::Address(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        (IN, AAAA) => Value::Address(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        (IN, CNAME) => {
            name::read(response, data).map_or(Value::Other, |(target, _)| Value::Alias(target))
        }
        _ => Value::Other,
    };
    Some((Record { owner, value }, data + length))
}

#[cfg(test)]
mod tests;
