//! The time that an executor goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Time that goes on when it is told to, and not otherwise. It starts at 0.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime(AtomicU64);

impl VirtualTime {
    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on by `nanos`; the time before.
    pub(crate) fn advance(&self, nanos: u64) -> u64 {
        self.0.fetch_add(nanos, Ordering::Relaxed)
    }

    /// Goes on to `nanos` since the start, unless it is past that.
    pub(crate) fn advance_to(&self, nanos: u64) {
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }
}

/// Where the time comes from.
#[derive(Debug)]
pub(super) enum Time {
    /// The host's clock, since this.
    Host(Instant),
    Virtual(Arc<VirtualTime>),
}

impl Time {
    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        match self {
            Self::Host(began) => u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            Self::Virtual(time) => time.now(),
        }
    }
}
