//! Time and randomness, behind traits so that a run can be repeated exactly.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is for the programs of a sandbox.
pub(crate) trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Nanoseconds since the Unix epoch.
    fn realtime(&self) -> u64;
    /// Nanoseconds since some fixed point; never goes back.
    fn monotonic(&self) -> u64;
}

/// Where random bytes come from.
pub(crate) trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `into`. `false`: there is none to be had now.
    fn fill(&self, into: &mut [u8]) -> bool;
}

/// The host's clocks; the monotonic one starts when this is made.
#[derive(Debug)]
pub(crate) struct HostClock(Instant);

impl HostClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for HostClock {
    fn realtime(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        nanos(since.unwrap_or_default())
    }

    fn monotonic(&self) -> u64 {
        nanos(self.0.elapsed())
    }
}

/// Whole nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The host's random source.
#[derive(Debug)]
pub(crate) struct HostEntropy;

impl Entropy for HostEntropy {
    fn fill(&self, into: &mut [u8]) -> bool {
        getrandom::fill(into).is_ok()
    }
}
