//! How long to wait before trying again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ActionError;
use crate::Timestamp;

/// How long after the first failure an action is tried again; doubled with each further one.
pub const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest time between two tries.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(5 * 60);

/// When to try again after `failures` failures, the last of them `error` at `now`.
pub(super) fn retry_at(failures: u32, error: &ActionError, now: Timestamp) -> Timestamp {
    let delay = if error.is_retryable() {
        let doublings = failures.saturating_sub(1).min(16);
        FIRST_RETRY_DELAY.saturating_mul(1 << doublings)
    } else {
        MAX_RETRY_DELAY
    };
    now.plus(delay.min(MAX_RETRY_DELAY))
}

/// Pauses that failed one after another, so that a timer does not ask for the next one at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PauseFailures {
    pub(super) count: u32,
    pub(super) retry_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn delay_secs(failures: u32, kind: ErrorKind) -> u64 {
        retry_at(failures, &ActionError::new(kind, "away"), Timestamp::EPOCH).as_secs()
    }

    #[test]
    fn delays_double_up_to_five_minutes() {
        let delays: Vec<u64> = (1..=10)
            .map(|failures| delay_secs(failures, ErrorKind::Unavailable))
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(delay_secs(u32::MAX, ErrorKind::Unavailable), 300);
    }

    #[test]
    fn an_error_that_will_not_pass_soon_waits_longest_at_once() {
        assert_eq!(delay_secs(1, ErrorKind::PermissionDenied), 300);
    }
}
