//! Time and randomness that follow from the recipe.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::kernel::{Clock, Entropy};
use crate::lock::Lock;
use crate::sched::VirtualTime;

/// When every run starts, in seconds since the Unix epoch: 1 January 2025.
pub const EPOCH_SECONDS: u64 = 1_735_689_600;

/// What reading the clock takes, in nanoseconds: who waits for the time to pass sees it pass.
const READING: u64 = 1000;

/// The virtual time as a clock.
#[derive(Debug)]
pub(super) struct VirtualClock(pub(super) Arc<VirtualTime>);

impl Clock for VirtualClock {
    fn realtime(&self) -> u64 {
        EPOCH_SECONDS * 1_000_000_000 + self.monotonic()
    }

    fn monotonic(&self) -> u64 {
        self.0.advance(READING)
    }
}

/// Random bytes from a seed: the SHA-256 of it and a counter, block after block.
#[derive(Debug)]
pub(super) struct SeededEntropy {
    seed: [u8; 32],
    blocks: Lock<u64>,
}

impl SeededEntropy {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            blocks: Lock::new(0),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, into: &mut [u8]) -> bool {
        let mut count = self.blocks.lock();
        for piece in into.chunks_mut(32) {
            let mut block = Sha256::new();
            block.update(b"sandbox-random-1\0");
            block.update(self.seed);
            block.update(count.to_le_bytes());
            *count += 1;
            piece.copy_from_slice(&block.finalize()[..piece.len()]);
        }
        true
    }
}
