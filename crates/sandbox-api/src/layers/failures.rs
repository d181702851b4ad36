//! Bounds what somebody costs who tries keys that are not known.
//!
//! Each of them costs a look into the store. So an address has a budget of failures a minute; over
//! it, its keys are looked up one at a time, in the order they came, and those that find too many
//! waiting are refused unseen. This must lock no tenant out who shares the address (a proxy, an
//! office): keys that were valid a short while ago do not wait, and a new one has its turn like any
//! other. All are looked up, so that a revoked one is refused at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbox_core::Timestamp;
use sandbox_engine::owners::RateLimiter;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{ApiError, Reason};
use crate::places::network;

/// How long a key that was valid does not wait.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The most keys that are remembered as valid.
const MAX_TRUSTED: usize = 16_384;

/// The most keys of addresses over their budget that wait to be looked up. A look takes well under
/// a millisecond, so this is a short wait; and it leaves room for the requests of others.
const MAX_WAITING: usize = 1024;
/// When somebody is to try again who found too many waiting.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The failures of each address, and the keys that do not wait.
#[derive(Debug)]
pub(crate) struct Failures {
    per_minute: u32,
    /// A keyed hash: what is here tells nobody a key, and nobody can aim at another's place.
    hasher: RandomState,
    inner: Mutex<Inner>,
    waiting: Semaphore,
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Inner {
    addresses: RateLimiter<IpAddr>,
    trusted: HashMap<u64, Timestamp>,
}

/// Leave to look a key up, while it is held.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    _turn: Option<SemaphorePermit<'a>>,
}

impl Failures {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            hasher: RandomState::new(),
            inner: Mutex::default(),
            waiting: Semaphore::new(MAX_WAITING),
            turn: Semaphore::new(1),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing below the lock can panic half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a key may be looked up. Without an address (the server does not say who asks)
    /// nothing is counted.
    ///
    /// # Errors
    /// `RateLimited` when the address is over its budget and too many are waiting.
    pub(super) async fn leave(
        &self,
        address: Option<IpAddr>,
        key: &str,
        now: Timestamp,
    ) -> Result<Leave<'_>, ApiError> {
        if !self.is_suspect(address, key, now) {
            return Ok(Leave { _turn: None });
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let message = "too many API keys that are not valid come from this address; try again";
            let error = ApiError::new(Reason::RateLimited, message);
            return Err(error.with_retry_after(TRY_AGAIN));
        };
        // Nobody closes it.
        let turn = self.turn.acquire().await.ok();
        Ok(Leave { _turn: turn })
    }

    /// Whether the address is over its budget and the key was not valid lately.
    fn is_suspect(&self, address: Option<IpAddr>, key: &str, now: Timestamp) -> bool {
        let Some(address) = address.map(network) else {
            return false;
        };
        let inner = self.inner();
        let decision = inner.addresses.peek(&address, self.per_minute, now);
        !decision.allowed && !inner.is_trusted(self.hasher.hash_one(key), now)
    }

    /// Notes that a key was not valid.
    pub(super) fn failed(&self, address: Option<IpAddr>, key: &str, now: Timestamp) {
        let mut inner = self.inner();
        inner.trusted.remove(&self.hasher.hash_one(key));
        if let Some(address) = address.map(network) {
            inner.addresses.check(&address, self.per_minute, now);
        }
    }

    /// Notes that a key was valid.
    pub(super) fn succeeded(&self, key: &str, now: Timestamp) {
        let key = self.hasher.hash_one(key);
        let mut inner = self.inner();
        if inner.trusted.len() >= MAX_TRUSTED && !inner.trusted.contains_key(&key) {
            inner.trusted.retain(|_, at| now.since(*at) < TRUSTED_FOR);
        }
        if inner.trusted.len() < MAX_TRUSTED || inner.trusted.contains_key(&key) {
            inner.trusted.insert(key, now);
        }
    }
}

impl Inner {
    fn is_trusted(&self, key: u64, now: Timestamp) -> bool {
        let at = self.trusted.get(&key);
        at.is_some_and(|at| now.since(*at) < TRUSTED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn exhausted(address: &str) -> Failures {
        let failures = Failures::new(10);
        for number in 0..10 {
            let key = format!("guess-{number}");
            assert!(!failures.is_suspect(at(address), &key, NOW));
            failures.failed(at(address), &key, NOW);
        }
        failures
    }

    #[test]
    fn whoever_guesses_is_suspect_and_others_are_not() {
        let failures = exhausted("192.0.2.1");
        assert!(failures.is_suspect(at("192.0.2.1"), "new", NOW));
        assert!(failures.is_suspect(at("::ffff:192.0.2.1"), "new", NOW));
        assert!(!failures.is_suspect(at("192.0.2.2"), "new", NOW));
        assert!(!failures.is_suspect(None, "new", NOW));
        let later = NOW.plus(Duration::from_secs(6));
        assert!(!failures.is_suspect(at("192.0.2.1"), "new", later));
    }

    #[test]
    fn changing_the_address_within_an_ipv6_network_does_not_help() {
        let failures = exhausted("2001:db8::1");
        assert!(failures.is_suspect(at("2001:db8::ffff:1"), "new", NOW));
        assert!(!failures.is_suspect(at("2001:db8:0:1::1"), "new", NOW));
    }

    #[test]
    fn a_tenant_at_the_same_address_does_not_wait() {
        let failures = exhausted("192.0.2.1");
        failures.succeeded("tenant", NOW);
        assert!(!failures.is_suspect(at("192.0.2.1"), "tenant", NOW));
        // Until the key is revoked.
        failures.failed(at("192.0.2.1"), "tenant", NOW);
        assert!(failures.is_suspect(at("192.0.2.1"), "tenant", NOW));
    }

    #[tokio::test]
    async fn suspects_have_their_turn_one_by_one_and_too_many_are_refused() {
        let failures = exhausted("192.0.2.1");
        let leave = || Box::pin(failures.leave(at("192.0.2.1"), "new", NOW));
        let first = leave().await.unwrap();
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| leave()).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        let refused = leave().await.unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert_eq!(refused.retry_after(), Some(TRY_AGAIN));
        drop(first);
        let second = waiting.remove(0).await.unwrap();
        assert!((&mut waiting[0]).now_or_never().is_none());
        drop(second);
        waiting.remove(0).await.unwrap();
    }
}
