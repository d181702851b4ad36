//! nf_tables expressions: the small machine's instructions, one attribute list each.

use super::attributes::Attributes;
use super::batch::QUOTA;

/// Where a packet's bytes are counted from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base {
    Link = 0,
    Network = 1,
    Transport = 2,
}

/// What the kernel knows about a packet besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meta {
    Protocol = 1,
    Mark = 3,
    InputName = 6,
    OutputName = 7,
    Family = 15,
    Transport = 16,
}

/// What connection tracking knows about it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Track {
    State = 0,
    Direction = 1,
}

/// How a rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End<'a> {
    Accept,
    Drop,
    Jump(&'a str),
    /// Answer a TCP segment with a reset.
    Reset,
    /// Answer with ICMP "administratively prohibited".
    Prohibited,
}

pub(crate) const ESTABLISHED: u32 = 2;
pub(crate) const RELATED: u32 = 4;

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// The 16-byte data register that matches use; register 0 holds verdicts.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
/// The first of the 4-byte registers, which share their space with the one above.
const WORDS: u32 = 8;

/// A rule under construction: every match must hold for the next to be looked at.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Rule(Attributes);

impl Rule {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn into_attributes(self) -> Attributes {
        self.0
    }

    fn push(self, name: &str, data: Attributes) -> Self {
        let expression = Attributes::new().string(1, name).nest(2, data);
        Self(self.0.nest(1, expression))
    }

    pub(crate) fn load_meta(self, key: Meta) -> Self {
        self.meta_into(REGISTER, key)
    }

    fn meta_into(self, register: u32, key: Meta) -> Self {
        let data = Attributes::new().u32(1, register).u32(2, key as u32);
        self.push("meta", data)
    }

    pub(crate) fn load(self, base: Base, offset: u32, length: u32) -> Self {
        self.payload_into(REGISTER, base, offset, length)
    }

    fn payload_into(self, register: u32, base: Base, offset: u32, length: u32) -> Self {
        let data = Attributes::new()
            .u32(1, register)
            .u32(2, base as u32)
            .u32(3, offset)
            .u32(4, length);
        self.push("payload", data)
    }

    /// Whether an IPv6 packet has the extension header `header`, however many come before it.
    pub(crate) fn has_extension(self, header: u8) -> Self {
        const PRESENT: u32 = 1;
        let data = Attributes::new()
            .u32(1, REGISTER)
            .bytes(2, &[header])
            .u32(3, 0)
            .u32(4, 1)
            .u32(5, PRESENT);
        self.push("exthdr", data).equals(&[1])
    }

    fn load_track(self, key: Track) -> Self {
        let data = Attributes::new().u32(1, REGISTER).u32(2, key as u32);
        self.push("ct", data)
    }

    fn compare(self, operation: u32, value: &[u8]) -> Self {
        let data = Attributes::new()
            .u32(1, REGISTER)
            .u32(2, operation)
            .nest(3, Attributes::new().bytes(1, value));
        self.push("cmp", data)
    }

    pub(crate) fn equals(self, value: &[u8]) -> Self {
        self.compare(EQUAL, value)
    }

    pub(crate) fn differs(self, value: &[u8]) -> Self {
        self.compare(NOT_EQUAL, value)
    }

    /// Keeps the bits in `mask`.
    pub(crate) fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let zero = vec![0; mask.len()];
        let data = Attributes::new()
            .u32(1, REGISTER)
            .u32(2, REGISTER)
            .u32(3, length)
            .nest(4, Attributes::new().bytes(1, mask))
            .nest(5, Attributes::new().bytes(1, &zero));
        self.push("bitwise", data)
    }

    /// Whether the loaded value is in `set`.
    pub(crate) fn in_set(self, set: &str) -> Self {
        let data = Attributes::new().string(1, set).u32(2, REGISTER);
        self.push("lookup", data)
    }

    pub(crate) fn not_in_set(self, set: &str) -> Self {
        let data = Attributes::new().string(1, set).u32(2, REGISTER).u32(5, 1);
        self.push("lookup", data)
    }

    /// Puts a key into `set`, for `milliseconds`: `width` bytes of destination address at `offset`,
    /// the transport, and the destination port or, without `port`, zero.
    pub(crate) fn remember(
        self,
        set: &str,
        (offset, width): (u32, u32),
        port: bool,
        milliseconds: u64,
    ) -> Self {
        const ADD: u32 = 0;
        let transport = WORDS + width / 4;
        let rule = self
            .payload_into(WORDS, Base::Network, offset, width)
            .meta_into(transport, Meta::Transport);
        let rule = if port {
            rule.payload_into(transport + 1, Base::Transport, 2, 2)
        } else {
            let zero = Attributes::new().bytes(1, &[0; 4]);
            let data = Attributes::new().u32(1, transport + 1).nest(2, zero);
            rule.push("immediate", data)
        };
        let data = Attributes::new()
            .string(1, set)
            .u32(3, ADD)
            .u32(4, WORDS)
            .u64(6, milliseconds);
        rule.push("dynset", data)
    }

    /// Packets that connection tracking takes for an answer, in one of `states`.
    pub(crate) fn replying(self, states: u32) -> Self {
        self.load_track(Track::Direction)
            .equals(&[1])
            .load_track(Track::State)
            .mask(&states.to_ne_bytes())
            .differs(&[0; 4])
    }

    /// Packets in the direction in which their connection was opened.
    pub(crate) fn opening(self) -> Self {
        self.load_track(Track::Direction).equals(&[0])
    }

    /// Counts in the table's counter `name`.
    pub(crate) fn count(self, name: &str) -> Self {
        const COUNTER: u32 = 1;
        let data = Attributes::new().u32(1, COUNTER).string(2, name);
        self.push("objref", data)
    }

    /// Sets off the table's alarm `name`. It ends the rule: nothing after it is carried out.
    pub(crate) fn set_off(self, name: &str) -> Self {
        let data = Attributes::new().u32(1, QUOTA).string(2, name);
        self.push("objref", data)
    }

    pub(crate) fn end(self, end: End<'_>) -> Self {
        const NF_DROP: u32 = 0;
        const NF_ACCEPT: u32 = 1;
        const NFT_JUMP: u32 = -3i32 as u32;
        let verdict = |code: u32| Attributes::new().u32(1, code);
        match end {
            End::Accept => self.verdict(verdict(NF_ACCEPT)),
            End::Drop => self.verdict(verdict(NF_DROP)),
            End::Jump(chain) => self.verdict(verdict(NFT_JUMP).string(2, chain)),
            End::Reset => self.push("reject", Attributes::new().u32(1, 1)),
            End::Prohibited => self.push("reject", Attributes::new().u32(1, 2).bytes(2, &[3])),
        }
    }

    fn verdict(self, verdict: Attributes) -> Self {
        let data = Attributes::new()
            .u32(1, VERDICT)
            .nest(2, Attributes::new().nest(2, verdict));
        self.push("immediate", data)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::{find, parse};
    use super::*;

    #[test]
    fn a_comparison_has_the_kernels_bytes() {
        let bytes = Rule::new().equals(&[10]).into_attributes().into_bytes();
        #[rustfmt::skip]
        let expected = [
            44, 0, 1, 0x80, // list element
            8, 0, 1, 0, b'c', b'm', b'p', 0,
            32, 0, 2, 0x80, // data
            8, 0, 1, 0, 0, 0, 0, 1, // register
            8, 0, 2, 0, 0, 0, 0, 0, // equal
            12, 0, 3, 0x80, 5, 0, 1, 0, 10, 0, 0, 0, // value
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_rule_ends_with_its_verdict() {
        let bytes = Rule::new()
            .count("c")
            .end(End::Drop)
            .into_attributes()
            .into_bytes();
        let names: Vec<_> = parse(&bytes)
            .map(|(_, expression)| find(expression, 1).unwrap().to_vec())
            .collect();
        assert_eq!(names, [b"objref\0".to_vec(), b"immediate\0".to_vec()]);
    }
}
