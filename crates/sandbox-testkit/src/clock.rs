//! A clock that only tests move.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use sandbox_core::Timestamp;
use tokio::sync::watch;

use crate::lock::Locked;

/// A clock that stands still until a test moves it. Clones show, and move, the same time.
///
/// It starts at 2026-01-01T00:00:00Z, so that subtracting from it does not reach the epoch.
///
/// ```
/// use std::time::Duration;
/// use sandbox_testkit::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now().since(before), Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<watch::Sender<Timestamp>>,
    sleepers: Arc<Sleepers>,
}

#[derive(Debug)]
struct Sleepers {
    wake_ups: Mutex<Vec<Timestamp>>,
    count: watch::Sender<usize>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// The time a new clock shows: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    /// A clock that shows [`START`](Self::START).
    pub fn new() -> Self {
        Self::starting_at(Self::START)
    }

    /// A clock that shows `now`.
    pub fn starting_at(now: Timestamp) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(now)),
            sleepers: Arc::new(Sleepers {
                wake_ups: Mutex::new(Vec::new()),
                count: watch::Sender::new(0),
            }),
        }
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Moves it on and wakes everyone whose time has come.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = now.plus(by));
    }

    /// Sets it, backwards as well: as a machine's clock does when somebody corrects it.
    pub fn set(&self, to: Timestamp) {
        self.now.send_replace(to);
    }

    /// Returns once the clock shows `deadline` or later; at once when it does already.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        let mut now = self.now.subscribe();
        if *now.borrow_and_update() >= deadline {
            return;
        }
        let _asleep = Asleep::new(&self.sleepers, deadline);
        while *now.borrow_and_update() < deadline {
            // The sender lives in `self`, which this call borrows.
            if now.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns after the clock has moved on by `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().plus(duration)).await;
    }

    /// How many [`sleep_until`](Self::sleep_until) wait now.
    pub fn sleepers(&self) -> usize {
        *self.sleepers.count.borrow()
    }

    /// Returns once at least `count` sleepers wait: then whoever is tested has nothing left to do
    /// but wait for the clock.
    pub async fn wait_for_sleepers(&self, count: usize) {
        let mut sleepers = self.sleepers.count.subscribe();
        while *sleepers.borrow_and_update() < count {
            if sleepers.changed().await.is_err() {
                return;
            }
        }
    }

    /// The earliest time somebody sleeps until.
    pub fn next_wake_up(&self) -> Option<Timestamp> {
        self.sleepers.wake_ups.locked().iter().min().copied()
    }
}

/// One sleeper's entry, taken out when it wakes or its future is dropped.
struct Asleep<'a> {
    sleepers: &'a Sleepers,
    deadline: Timestamp,
}

impl<'a> Asleep<'a> {
    fn new(sleepers: &'a Sleepers, deadline: Timestamp) -> Self {
        sleepers.wake_ups.locked().push(deadline);
        sleepers.count.send_modify(|count| *count += 1);
        Self { sleepers, deadline }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let mut wake_ups = self.sleepers.wake_ups.locked();
        if let Some(at) = wake_ups.iter().position(|entry| *entry == self.deadline) {
            wake_ups.swap_remove(at);
        }
        drop(wake_ups);
        self.sleepers.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_their_time_comes_and_not_before() {
        let clock = ManualClock::new();
        let deadline = clock.now().plus(Duration::from_secs(10));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(deadline).await }
        });
        clock.wait_for_sleepers(1).await;
        assert_eq!(clock.next_wake_up(), Some(deadline));
        clock.advance(Duration::from_millis(9_999));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set(ManualClock::START);
        clock.advance(Duration::from_secs(10));
        sleeper.await.unwrap();
        assert_eq!(clock.sleepers(), 0);
        assert_eq!(clock.next_wake_up(), None);
    }

    #[tokio::test]
    async fn a_sleeper_that_gives_up_is_not_counted() {
        let clock = ManualClock::new();
        let sleep = clock.sleep(Duration::from_secs(1));
        assert!(
            tokio::time::timeout(Duration::from_millis(1), sleep)
                .await
                .is_err()
        );
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_does_not_wait() {
        let clock = ManualClock::new();
        clock.sleep_until(Timestamp::EPOCH).await;
    }
}
