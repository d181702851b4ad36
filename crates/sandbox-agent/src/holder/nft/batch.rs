//! One transaction: messages that the kernel carries out all together or not at all.

use super::attributes::Attributes;
use super::expression::Rule;
use super::interval::{Family, Interval};

pub(crate) const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// The object type of alarms.
pub(crate) const QUOTA: u32 = 2;

/// nf_tables message types, within the subsystem.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    NewTable = 0,
    DeleteTable = 2,
    NewChain = 3,
    NewRule = 6,
    NewSet = 9,
    NewElements = 12,
    DeleteElements = 14,
    NewObject = 18,
}

/// A table: its family and name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) family: u8,
    pub(crate) name: &'static str,
}

/// Where a base chain is attached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook<'a> {
    pub(crate) number: u32,
    pub(crate) priority: i32,
    /// Devices, for the netdev family alone.
    pub(crate) devices: &'a [String],
}

/// Messages under construction.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where the last message starts.
    last: usize,
    sequence: u32,
    sets: u32,
}

impl Batch {
    pub(crate) fn new() -> Self {
        let mut batch = Self {
            bytes: Vec::new(),
            last: 0,
            sequence: 0,
            sets: 0,
        };
        batch.message(BATCH_BEGIN, 0, 0, SUBSYSTEM, Attributes::new());
        batch
    }

    /// The datagram, and the sequence number of its last message, the only one the kernel is asked to
    /// acknowledge: errors it reports in any case, and it looks at messages in order.
    pub(crate) fn finish(mut self) -> (Vec<u8>, u32) {
        const FLAGS: usize = 6;
        let last = self.sequence;
        if let Some(flags) = self.bytes.get_mut(self.last + FLAGS..self.last + FLAGS + 2) {
            for (flag, bit) in flags.iter_mut().zip(ACK.to_ne_bytes()) {
                *flag |= bit;
            }
        }
        self.message(BATCH_END, 0, 0, SUBSYSTEM, Attributes::new());
        (self.bytes, last)
    }

    fn push(&mut self, kind: Kind, table: Table, flags: u16, attributes: Attributes) {
        let kind = SUBSYSTEM << 8 | kind as u16;
        self.message(kind, flags, table.family, 0, attributes);
    }

    fn message(&mut self, kind: u16, flags: u16, family: u8, resource: u16, body: Attributes) {
        self.sequence += 1;
        self.last = self.bytes.len();
        let header = message(kind, flags, self.sequence, family, resource, body);
        self.bytes.extend(header);
    }

    /// Replaces `table`, whether it exists or not, by an empty one.
    pub(crate) fn replace_table(&mut self, table: Table) {
        let name = || Attributes::new().string(1, table.name);
        self.push(Kind::NewTable, table, CREATE, name());
        self.push(Kind::DeleteTable, table, 0, name());
        self.push(Kind::NewTable, table, CREATE, name());
    }

    /// Adds a chain: a base chain that drops what its rules leave over, or one to jump to.
    pub(crate) fn chain(&mut self, table: Table, name: &str, hook: Option<Hook<'_>>) {
        const DROP: u32 = 0;
        let mut chain = Attributes::new().string(1, table.name).string(3, name);
        if let Some(hook) = hook {
            chain = chain
                .nest(4, hook_attributes(hook))
                .u32(5, DROP)
                .string(7, "filter");
        }
        self.push(Kind::NewChain, table, CREATE, chain);
    }

    pub(crate) fn rule(&mut self, table: Table, chain: &str, rule: Rule) {
        let rule = Attributes::new()
            .string(1, table.name)
            .string(2, chain)
            .nest(4, rule.into_attributes());
        self.push(Kind::NewRule, table, CREATE | APPEND, rule);
    }

    pub(crate) fn counter(&mut self, table: Table, name: &str) {
        const COUNTER: u32 = 1;
        let zero = Attributes::new().u64(1, 0).u64(2, 0);
        let counter = Attributes::new()
            .string(1, table.name)
            .string(2, name)
            .u32(3, COUNTER)
            .nest(4, zero);
        self.push(Kind::NewObject, table, CREATE, counter);
    }

    /// An object that tells, once, that a rule used it: a quota of one byte.
    pub(crate) fn alarm(&mut self, table: Table, name: &str) {
        let quota = Attributes::new().u64(1, 1).u32(2, 0);
        let alarm = Attributes::new()
            .string(1, table.name)
            .string(2, name)
            .u32(3, QUOTA)
            .nest(4, quota);
        self.push(Kind::NewObject, table, CREATE, alarm);
    }

    /// Removes `table` and what is in it.
    pub(crate) fn remove_table(&mut self, table: Table) {
        let name = Attributes::new().string(1, table.name);
        self.push(Kind::DeleteTable, table, 0, name);
    }

    fn set(&mut self, table: Table, name: &str, width: usize, flags: u32) -> Attributes {
        self.sets += 1;
        let width = u32::try_from(width).unwrap_or(u32::MAX);
        Attributes::new()
            .string(1, table.name)
            .string(2, name)
            .u32(3, flags)
            .u32(4, 0)
            .u32(5, width)
            .u32(10, self.sets)
    }

    /// A set that matches the addresses in `ranges`.
    pub(crate) fn interval_set(
        &mut self,
        table: Table,
        name: &str,
        family: Family,
        ranges: &[Interval],
    ) {
        const INTERVAL: u32 = 4;
        const INTERVAL_END: u32 = 1;
        let set = self.set(table, name, family.width(), INTERVAL);
        self.push(Kind::NewSet, table, CREATE, set);
        let elements = ranges.iter().flat_map(|range| {
            let start = element(&family.key(range.start));
            let end = range
                .end
                .map(|end| element(&family.key(end)).u32(3, INTERVAL_END));
            std::iter::once(start).chain(end)
        });
        self.elements(Kind::NewElements, table, name, elements.collect());
    }

    /// A set of exact values.
    pub(crate) fn value_set(&mut self, table: Table, name: &str, width: usize, values: &[Vec<u8>]) {
        let set = self.set(table, name, width, 0);
        self.push(Kind::NewSet, table, CREATE, set);
        let elements = values.iter().map(|value| element(value)).collect();
        self.elements(Kind::NewElements, table, name, elements);
    }

    /// A set whose values go away by themselves and that rules can add to; at most `size` of them.
    pub(crate) fn timed_set(&mut self, table: Table, name: &str, width: usize, size: u32) {
        const TIMEOUT: u32 = 0x10;
        const EVAL: u32 = 0x20;
        let set = self
            .set(table, name, width, TIMEOUT | EVAL)
            .nest(9, Attributes::new().u32(1, size))
            .u64(11, 60_000);
        self.push(Kind::NewSet, table, CREATE, set);
    }

    /// Puts keys, each for its milliseconds, into a timed set that has none of them.
    pub(crate) fn timed_elements(&mut self, table: Table, set: &str, keys: &[(Vec<u8>, u64)]) {
        let timed = |(key, milliseconds): &(Vec<u8>, u64)| element(key).u64(4, *milliseconds);
        let elements = keys.iter().map(timed);
        self.elements(Kind::NewElements, table, set, elements.collect());
    }

    /// Puts `key` into a timed set for `milliseconds`, replacing the time it had.
    pub(crate) fn timed_element(&mut self, table: Table, set: &str, key: &[u8], milliseconds: u64) {
        let timed = || vec![element(key).u64(4, milliseconds)];
        // Kernels before 6.12 keep the old time of an element that exists. Adding first lets the
        // removal find one in any case; nothing is seen in between.
        self.elements(Kind::NewElements, table, set, timed());
        self.elements(Kind::DeleteElements, table, set, vec![element(key)]);
        self.elements(Kind::NewElements, table, set, timed());
    }

    /// Takes `keys` out of a set. The transaction fails if one of them is not in it.
    pub(crate) fn remove(&mut self, table: Table, set: &str, keys: &[Vec<u8>]) {
        let elements = keys.iter().map(|key| element(key)).collect();
        self.elements(Kind::DeleteElements, table, set, elements);
    }

    fn elements(&mut self, kind: Kind, table: Table, set: &str, elements: Vec<Attributes>) {
        // An attribute's length is 16 bits wide; an element takes at most 52 bytes.
        const CHUNK: usize = 1_000;
        let flags = match kind {
            Kind::NewElements => CREATE,
            _ => 0,
        };
        for chunk in elements.chunks(CHUNK) {
            let list = chunk.iter().fold(Attributes::new(), |list, element| {
                list.nest(1, element.clone())
            });
            debug_assert!(list.len() < usize::from(u16::MAX));
            let message = Attributes::new()
                .string(1, table.name)
                .string(2, set)
                .nest(3, list);
            self.push(kind, table, flags, message);
        }
    }
}

/// One netlink message with nfnetlink's header.
pub(crate) fn message(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: Attributes,
) -> Vec<u8> {
    const HEADERS: usize = 20;
    let length = u32::try_from(HEADERS + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADERS + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(body.into_bytes());
    bytes
}

fn element(key: &[u8]) -> Attributes {
    Attributes::new().nest(1, Attributes::new().bytes(1, key))
}

fn hook_attributes(hook: Hook<'_>) -> Attributes {
    let attributes = Attributes::new()
        .u32(1, hook.number)
        .bytes(2, &hook.priority.to_be_bytes());
    if hook.devices.is_empty() {
        return attributes;
    }
    let devices = hook
        .devices
        .iter()
        .fold(Attributes::new(), |list, device| list.string(1, device));
    attributes.nest(4, devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table {
        family: 1,
        name: "t",
    };

    #[test]
    fn a_batch_is_framed_and_aligned() {
        let mut batch = Batch::new();
        batch.replace_table(TABLE);
        let (bytes, last) = batch.finish();
        assert_eq!(last, 4, "begin is 1, three table messages follow");
        let (mut rest, mut kinds) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
            assert_eq!(length % 4, 0);
            kinds.push(u16::from_ne_bytes(rest[4..6].try_into().unwrap()));
            rest = &rest[length..];
        }
        assert_eq!(kinds, [16, 0xa00, 0xa02, 0xa00, 17]);
        // nfnetlink names the subsystem in the begin message, big-endian.
        assert_eq!(bytes[18..20], [0, 10]);
    }

    #[test]
    fn long_lists_are_cut_into_messages() {
        let ranges: Vec<_> = (0..1_500u128)
            .map(|n| Interval {
                start: n << 64,
                end: Some((n << 64) + 1),
            })
            .collect();
        let mut batch = Batch::new();
        batch.interval_set(TABLE, "s", Family::V6, &ranges);
        let (_, last) = batch.finish();
        assert_eq!(last, 5, "begin, the set, and three lists of elements");
    }
}
