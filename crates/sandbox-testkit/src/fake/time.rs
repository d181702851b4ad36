//! Where the fake takes its time from.

use std::future::pending;
use std::time::{Duration, SystemTime};

use sandbox_core::Timestamp;
use tokio::time::Instant;

use crate::ManualClock;

/// Tokio's time (which a test may pause), or a clock that a test moves.
#[derive(Debug, Clone)]
pub(crate) enum TimeSource {
    Tokio,
    Manual(ManualClock),
}

impl TimeSource {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Tokio => SystemTime::now().into(),
            Self::Manual(clock) => clock.now(),
        }
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::Tokio => match Instant::now().checked_add(duration) {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => pending().await,
            },
            Self::Manual(clock) => clock.sleep(duration).await,
        }
    }

    /// A point to measure from, in a time that never goes back.
    pub(crate) fn mark(&self) -> Mark {
        match self {
            Self::Tokio => Mark::Tokio(Instant::now()),
            Self::Manual(clock) => Mark::Manual(clock.now()),
        }
    }

    pub(crate) fn elapsed(&self, mark: Mark) -> Duration {
        match mark {
            Mark::Tokio(start) => start.elapsed(),
            Mark::Manual(start) => self.now().since(start),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    Tokio(Instant),
    Manual(Timestamp),
}
