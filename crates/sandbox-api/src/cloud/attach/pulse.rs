//! Whether a client is still there.
//!
//! Somebody whose machine lost its power closes nothing: without being asked he would keep a
//! connection, and a sandbox awake, for hours.

use std::sync::atomic::{AtomicBool, Ordering};

/// How many times in a row a client may say nothing between one ping and the next.
const MAX_SILENCE: u32 = 3;

/// Notes what is heard of a client. One side listens, the other asks.
#[derive(Debug, Default)]
pub(in crate::cloud) struct Pulse {
    heard: AtomicBool,
    is_held: AtomicBool,
}

impl Pulse {
    /// The client said something.
    pub(in crate::cloud) fn heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Nobody listens to the client now, or somebody does again: while nobody does, its silence
    /// means nothing.
    pub(in crate::cloud) fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Whether the client is taken for gone, asked before each ping; `silence` counts for how many
    /// in a row it said nothing.
    pub(in crate::cloud) fn is_gone(&self, silence: &mut u32) -> bool {
        let heard = self.heard.swap(false, Ordering::Relaxed);
        if heard || self.is_held.load(Ordering::Relaxed) {
            *silence = 0;
        } else {
            *silence += 1;
        }
        *silence > MAX_SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_that_lasts_is_the_end() {
        let (pulse, mut silence) = (Pulse::default(), 0);
        for _ in 0..MAX_SILENCE {
            assert!(!pulse.is_gone(&mut silence));
        }
        pulse.heard();
        for _ in 0..=MAX_SILENCE {
            assert!(!pulse.is_gone(&mut silence));
        }
        assert!(pulse.is_gone(&mut silence));
    }

    #[test]
    fn nobody_is_silent_who_is_not_listened_to() {
        let (pulse, mut silence) = (Pulse::default(), 0);
        pulse.hold(true);
        for _ in 0..100 {
            assert!(!pulse.is_gone(&mut silence));
        }
        pulse.hold(false);
        for _ in 0..MAX_SILENCE {
            assert!(!pulse.is_gone(&mut silence));
        }
        assert!(pulse.is_gone(&mut silence));
    }
}
