//! What `poll_oneoff` is asked and answers.

use super::memory::Guest;
use crate::kernel::{Errno, Fd, Result};

/// The most subscriptions of one call.
pub(super) const MAX_SUBSCRIPTIONS: u32 = 4096;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: usize = 32;

/// One thing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    /// The guest's own; comes back in the event.
    user_data: u64,
    pub(super) what: What,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Until a clock shows a time, or for a while; nanoseconds.
    Clock {
        id: u32,
        timeout: u64,
        absolute: bool,
    },
    /// Until `fd` can be read, or written.
    Descriptor { fd: Fd, write: bool },
}

/// What came of a subscription.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) error: Option<Errno>,
    /// Bytes that can be read or written at once.
    pub(super) bytes: u64,
    /// Whether the other side is gone.
    pub(super) hang_up: bool,
}

impl Subscription {
    /// Reads `count` subscriptions at `at`.
    ///
    /// # Errors
    /// `INVAL` for none, for more than [`MAX_SUBSCRIPTIONS`] and for a kind that there is not,
    /// `FAULT`.
    pub(super) fn read_all(memory: &Guest<'_>, at: u32, count: u32) -> Result<Vec<Self>> {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::INVAL);
        }
        memory.check(at, count * SUBSCRIPTION_BYTES)?;
        let each = (0..count).map(|index| Self::read(memory, at + index * SUBSCRIPTION_BYTES));
        each.collect()
    }

    fn read(memory: &Guest<'_>, at: u32) -> Result<Self> {
        let what = match memory.bytes(at + 8, 1)? {
            [0] => What::Clock {
                id: memory.u32(at + 16)?,
                timeout: memory.u64(at + 24)?,
                absolute: match memory.u16(at + 40)? {
                    0 => false,
                    1 => true,
                    _ => return Err(Errno::INVAL),
                },
            },
            [kind @ (1 | 2)] => What::Descriptor {
                fd: memory.u32(at + 16)?,
                write: *kind == 2,
            },
            _ => return Err(Errno::INVAL),
        };
        Ok(Self {
            user_data: memory.u64(at)?,
            what,
        })
    }
}

/// Checks that there is room for `count` events at `at`, and for their number at `out`.
pub(super) fn check_events(memory: &Guest<'_>, at: u32, count: u32, out: u32) -> Result<()> {
    memory.check(at, count * EVENT_BYTES as u32)?;
    memory.check(out, 4)
}

/// Writes an event for each of `found`, and how many there are.
pub(super) fn write_events(
    memory: &mut Guest<'_>,
    at: u32,
    out: u32,
    found: &[(Subscription, Found)],
) -> Result<()> {
    for (index, (subscription, found)) in found.iter().enumerate() {
        let event = event(subscription, found);
        memory.write(at + (index * EVENT_BYTES) as u32, &event)?;
    }
    memory.write_u32(out, found.len() as u32)
}

fn event(subscription: &Subscription, found: &Found) -> [u8; EVENT_BYTES] {
    let mut bytes = [0; EVENT_BYTES];
    bytes[..8].copy_from_slice(&subscription.user_data.to_le_bytes());
    let error = found.error.map_or(0, |errno| errno.number() as u16);
    bytes[8..10].copy_from_slice(&error.to_le_bytes());
    bytes[10] = match subscription.what {
        What::Clock { .. } => 0,
        What::Descriptor { write: false, .. } => 1,
        What::Descriptor { write: true, .. } => 2,
    };
    bytes[16..24].copy_from_slice(&found.bytes.to_le_bytes());
    bytes[24..26].copy_from_slice(&u16::from(found.hang_up).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_overflows_is_refused() {
        let mut bytes = [0; 48];
        let memory = Guest::new(&mut bytes);
        let read = |at, count| Subscription::read_all(&memory, at, count).map(|list| list.len());
        assert_eq!(read(0, 0), Err(Errno::INVAL));
        assert_eq!(read(0, u32::MAX), Err(Errno::INVAL));
        assert_eq!(read(0, 2), Err(Errno::FAULT));
        assert_eq!(read(u32::MAX, 1), Err(Errno::FAULT));
        assert_eq!(read(0, 1), Ok(1));
    }

    #[test]
    fn events_are_laid_out_as_preview_1_has_them() {
        let subscription = Subscription {
            user_data: 7,
            what: What::Descriptor { fd: 4, write: true },
        };
        let found = Found {
            error: None,
            bytes: 300,
            hang_up: true,
        };
        let event = event(&subscription, &found);
        assert_eq!(event[0], 7);
        assert_eq!(event[8..12], [0, 0, 2, 0]);
        assert_eq!(event[16..18], [44, 1]);
        assert_eq!(event[24], 1);
    }
}
