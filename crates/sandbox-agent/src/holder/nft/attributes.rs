//! Netlink attributes: a length, a type, and a value padded to four bytes.

const NESTED: u16 = 1 << 15;
const TYPE_MASK: u16 = !(NESTED | 1 << 14);
const HEADER: usize = 4;

/// A list of attributes under construction. Numbers are big-endian, as nf_tables wants them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        // Values here are names, keys and bounded lists; the callers chunk what could be longer.
        let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
        debug_assert_eq!(usize::from(length), HEADER + value.len());
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn u32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(crate) fn u64(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A string with its final zero.
    pub(crate) fn string(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    pub(crate) fn nest(self, kind: u16, inner: Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The attributes in `bytes`, as type and value; what is malformed ends the list.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    })
}

/// The value of the first attribute of type `kind`.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    parse(bytes)
        .find(|(found, _)| *found == kind)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_padded_and_lengths_are_not() {
        let bytes = Attributes::new().string(3, "ab").u32(5, 7).into_bytes();
        assert_eq!(
            bytes,
            [7, 0, 3, 0, b'a', b'b', 0, 0, 8, 0, 5, 0, 0, 0, 0, 7]
        );
    }

    #[test]
    fn nests_carry_the_flag_and_read_back_without_it() {
        let bytes = Attributes::new()
            .nest(4, Attributes::new().u64(1, 9))
            .into_bytes();
        assert_eq!(bytes[..4], [16, 0, 4, 0x80]);
        let inner = find(&bytes, 4).unwrap();
        assert_eq!(find(inner, 1), Some(&9u64.to_be_bytes()[..]));
    }

    proptest! {
        #[test]
        fn parsing_ends_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(parse(&bytes).count() <= bytes.len() / HEADER);
        }
    }
}
