//! Where the engine takes its time from.

use std::fmt;
use std::future::pending;
use std::time::SystemTime;

use async_trait::async_trait;
use sandbox_core::Timestamp;
use tokio::time::Instant;

/// A clock: what time it is, and how to wait.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. It may go back, when somebody corrects the machine's clock.
    fn now(&self) -> Timestamp;

    /// Returns once [`now`](Self::now) is `deadline` or later; at once when it is already.
    async fn sleep_until(&self, deadline: Timestamp);
}

/// The machine's wall clock and Tokio's timers.
///
/// While the machine itself is suspended, timers may stand still as well; what is due fires when it
/// wakes up.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        // Again where the wall clock was set back meanwhile, or the timer was a little early.
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            match Instant::now().checked_add(left) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_system_clock_never_returns_early() {
        let deadline = SystemClock.now().plus(Duration::from_millis(15));
        SystemClock.sleep_until(deadline).await;
        assert!(SystemClock.now() >= deadline);
        SystemClock.sleep_until(Timestamp::EPOCH).await;
    }

    #[tokio::test]
    async fn a_deadline_that_never_comes_is_waited_for() {
        let sleep = SystemClock.sleep_until(Timestamp::MAX);
        let waited = tokio::time::timeout(Duration::from_millis(5), sleep).await;
        assert!(waited.is_err());
    }
}
