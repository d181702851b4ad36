//! When to try again, and after how long.

use std::time::Duration;

use sandbox_core::{Error, ErrorKind};

/// How often, and how patiently, calls are tried again.
///
/// Only calls that are safe to repeat are: those that change nothing, those that come to the same
/// when done twice, and those that carry an idempotency key, which the client makes and keeps for
/// all tries of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The most tries after the first. Default: 4.
    pub max_retries: u32,
    /// The longest pause before the first retry; each further one may be twice as long. The pause
    /// is drawn between half of that and all of it. Default: 200 ms.
    pub base_delay: Duration,
    /// The longest pause. A server that asks for a longer one (`Retry-After`) is not asked again.
    /// Default: 10 seconds.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 4,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// No call is tried twice.
    pub fn never() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// The pause before retry number `retry`, counted from 0. `None`: no further try. `asked` is
    /// what the server asked for, `random` any number.
    pub(crate) fn delay(
        &self,
        retry: u32,
        asked: Option<Duration>,
        random: u32,
    ) -> Option<Duration> {
        if retry >= self.max_retries {
            return None;
        }
        let longest = self.base_delay.saturating_mul(1 << retry.min(20));
        let longest = longest.min(self.max_delay);
        let half = longest / 2;
        let jitter = half.mul_f64(f64::from(random) / f64::from(u32::MAX));
        let drawn = half + jitter;
        match asked {
            Some(asked) if asked > self.max_delay => None,
            Some(asked) => Some(asked.max(drawn)),
            None => Some(drawn),
        }
    }
}

/// A try that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What with.
    pub(crate) error: Error,
    /// Whether the same call may work later.
    pub(crate) passing: bool,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Failed {
    /// A failure that another try would not mend.
    pub(crate) fn final_(error: Error) -> Self {
        Self {
            error,
            passing: false,
            retry_after: None,
        }
    }

    /// A failure on the way to the server or back. Passing when that is away, and not when it said
    /// which field is to blame.
    pub(crate) fn of(error: Error) -> Self {
        Self {
            passing: error.kind() == ErrorKind::Unavailable && error.field().is_none(),
            error,
            retry_after: None,
        }
    }
}

/// A random number; the same one each time where the system has none, which only costs the jitter.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_maximum_and_end() {
        let policy = RetryPolicy {
            max_retries: 30,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(1),
        };
        let longest = |retry| policy.delay(retry, None, u32::MAX);
        assert_eq!(longest(0), Some(Duration::from_millis(100)));
        assert_eq!(longest(1), Some(Duration::from_millis(200)));
        assert_eq!(longest(29), Some(Duration::from_secs(1)));
        assert_eq!(longest(30), None);
        let shortest = policy.delay(1, None, 0);
        assert_eq!(shortest, Some(Duration::from_millis(100)), "half of it");
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_up_to_the_maximum() {
        let policy = RetryPolicy::default();
        let asked = |seconds| policy.delay(0, Some(Duration::from_secs(seconds)), 0);
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(11), None);
        assert_eq!(RetryPolicy::never().delay(0, None, 0), None);
    }
}
