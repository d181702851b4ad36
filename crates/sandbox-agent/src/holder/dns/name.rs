//! Names on the wire.

use sandbox_core::egress::DomainName;

const MAX_LABEL: usize = 63;
const MAX_WIRE: usize = 255;
/// The most pointers in one name, which is as many as it can have labels. Thousands would fit into
/// a message, and every record could begin with all of them.
const MAX_POINTERS: usize = 127;
/// The two top bits of a length mark a pointer.
const POINTER: u8 = 0xc0;

/// A name as it was asked for: its letters' case is the asker's, and must come back unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireName {
    text: String,
    name: DomainName,
}

impl WireName {
    /// The name, for the policy.
    pub(super) fn name(&self) -> &DomainName {
        &self.name
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        for label in self.text.split('.') {
            // A `DomainName` has labels of 1 to 63 bytes.
            into.push(u8::try_from(label.len()).unwrap_or_default());
            into.extend(label.as_bytes());
        }
        into.push(0);
    }
}

/// Reads the name at `start` and where the bytes after it begin. Pointers must lead back,
/// so that reading ends; a name with bytes that no host name has is none.
pub(super) fn read(message: &[u8], start: usize) -> Option<(WireName, usize)> {
    let (labels, after) = labels(message, start)?;
    let text = String::from_utf8(labels.join(&b'.')).ok()?;
    let name = DomainName::parse(&text).ok()?;
    // A label with a dot in it would read as two.
    (name.as_str().split('.').count() == labels.len()).then_some((WireName { text, name }, after))
}

/// Where the bytes after the name at `start` begin.
pub(super) fn skip(message: &[u8], start: usize) -> Option<usize> {
    labels(message, start).map(|(_, after)| after)
}

fn labels(message: &[u8], start: usize) -> Option<(Vec<Vec<u8>>, usize)> {
    let (mut at, mut after, mut total) = (start, None, 0);
    let (mut labels, mut pointers) = (Vec::new(), 0);
    loop {
        let length = *message.get(at)?;
        if length & POINTER == POINTER {
            let low = *message.get(at + 1)?;
            let target = usize::from(u16::from_be_bytes([length & !POINTER, low]));
            after.get_or_insert(at + 2);
            pointers += 1;
            if target >= at || pointers > MAX_POINTERS {
                return None;
            }
            at = target;
            continue;
        }
        let length = usize::from(length);
        if length > MAX_LABEL {
            return None;
        }
        total += length + 1;
        if total > MAX_WIRE {
            return None;
        }
        if length == 0 {
            return Some((labels, after.unwrap_or(at + 1)));
        }
        labels.push(message.get(at + 1..at + 1 + length)?.to_vec());
        at += 1 + length;
    }
}
