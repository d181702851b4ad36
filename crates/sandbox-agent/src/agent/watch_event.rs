//! Events as the kernel writes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The bytes in front of the name of an event.
pub(super) const EVENT_HEADER: usize = 16;

/// An event as the kernel writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) watch: i32,
    pub(super) mask: u32,
    pub(super) cookie: u32,
    pub(super) name: &'a OsStr,
}

/// The first event in `bytes`, and the rest.
pub(super) fn parse(bytes: &[u8]) -> Option<(Event<'_>, &[u8])> {
    let word = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let (watch, mask, cookie) = (word(0)?, word(4)?, word(8)?);
    let len = usize::try_from(word(12)?).ok()?;
    let end = EVENT_HEADER.checked_add(len)?;
    let name = bytes.get(EVENT_HEADER..end)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let event = Event {
        watch: watch as i32,
        mask,
        cookie,
        name: OsStr::from_bytes(name),
    };
    Some((event, &bytes[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_read_one_by_one() {
        let mut bytes = Vec::new();
        for (name, padded) in [("a", 16u32), ("", 0)] {
            bytes.extend_from_slice(&7i32.to_ne_bytes());
            bytes.extend_from_slice(&libc::IN_CREATE.to_ne_bytes());
            bytes.extend_from_slice(&3u32.to_ne_bytes());
            bytes.extend_from_slice(&padded.to_ne_bytes());
            let mut field = name.as_bytes().to_vec();
            field.resize(padded as usize, 0);
            bytes.extend_from_slice(&field);
        }
        let (first, rest) = parse(&bytes).unwrap();
        assert_eq!((first.watch, first.cookie), (7, 3));
        assert_eq!(first.name, "a");
        let (second, rest) = parse(rest).unwrap();
        assert_eq!(second.name, "");
        assert_eq!(parse(rest), None);
    }

    proptest! {
        #[test]
        fn malformed_events_are_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            while let Some((_, after)) = parse(rest) {
                prop_assert!(after.len() < rest.len());
                rest = after;
            }
        }
    }
}
