//! The clock of the time to live.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;
use crate::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expiry {
    /// The time to live ends at `at`.
    Ticking { at: Timestamp },
    /// The clock stands still, and `left` remains when it goes on.
    Stopped {
        #[serde(rename = "left_ms", with = "millis")]
        left: Duration,
    },
}

impl Expiry {
    pub(super) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Ticking { at } => Some(*at),
            Self::Stopped { .. } => None,
        }
    }

    pub(super) fn left(&self, now: Timestamp) -> Duration {
        match self {
            Self::Ticking { at } => at.since(now),
            Self::Stopped { left } => *left,
        }
    }

    pub(super) fn stop(&mut self, now: Timestamp) {
        *self = Self::Stopped {
            left: self.left(now),
        };
    }

    pub(super) fn start(&mut self, now: Timestamp) {
        if let Self::Stopped { left } = self {
            *self = Self::Ticking {
                at: now.plus(*left),
            };
        }
    }

    pub(super) fn set(&mut self, time_to_live: Duration, now: Timestamp) {
        match self {
            Self::Ticking { at } => *at = now.plus(time_to_live),
            Self::Stopped { left } => *left = time_to_live,
        }
    }

    pub(super) fn extend(&mut self, time_to_live: Duration, now: Timestamp) {
        if self.left(now) < time_to_live {
            self.set(time_to_live, now);
        }
    }

    /// Holds the limit against a clock that was set back.
    pub(super) fn cap(&mut self, max: Duration, now: Timestamp) {
        if self.left(now) > max {
            self.set(max, now);
        }
    }
}
