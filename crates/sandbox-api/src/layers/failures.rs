//! Bounds what somebody costs who tries keys that are not known.
//!
//! Each of them costs a look into the store. So a peer has a budget of failures a minute; over it,
//! keys are refused unseen. This must lock no tenant out who shares the peer's address (a proxy, an
//! office): keys that were valid a short while ago pass whatever their peer has done, and are looked
//! up like any other, so that a revoked one is refused at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbox_core::Timestamp;
use sandbox_engine::owners::RateLimiter;

use crate::error::{ApiError, Reason};
use crate::places::network;

/// How long a key that was valid passes unchecked.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The most keys that are remembered as valid.
const MAX_TRUSTED: usize = 16_384;

/// The failures of each peer, and the keys that pass.
#[derive(Debug)]
pub(crate) struct Failures {
    per_minute: u32,
    /// A keyed hash: what is here tells nobody a key, and nobody can aim at another's place.
    hasher: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: RateLimiter<IpAddr>,
    trusted: HashMap<u64, Timestamp>,
}

impl Failures {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            hasher: RandomState::new(),
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing below the lock can panic half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a key that was not valid lately, from a peer whose budget is used up. Without a peer
    /// (the server does not say who it is) nothing is counted.
    pub(super) fn admit(
        &self,
        peer: Option<IpAddr>,
        key: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let Some(peer) = peer.map(network) else {
            return Ok(());
        };
        let inner = self.inner();
        let decision = inner.peers.peek(&peer, self.per_minute, now);
        if decision.allowed || inner.is_trusted(self.hasher.hash_one(key), now) {
            return Ok(());
        }
        let message =
            "too many API keys that are not valid came from this address; try again later";
        let error = ApiError::new(Reason::RateLimited, message);
        Err(error.with_retry_after(decision.retry_after))
    }

    /// Notes that a key was not valid.
    pub(super) fn failed(&self, peer: Option<IpAddr>, key: &str, now: Timestamp) {
        let mut inner = self.inner();
        inner.trusted.remove(&self.hasher.hash_one(key));
        if let Some(peer) = peer.map(network) {
            inner.peers.check(&peer, self.per_minute, now);
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
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn exhaust(failures: &Failures, peer: Option<IpAddr>) {
        for number in 0..100 {
            let key = format!("guess-{number}");
            if failures.admit(peer, &key, NOW).is_err() {
                return;
            }
            failures.failed(peer, &key, NOW);
        }
        panic!("the budget has no end");
    }

    #[test]
    fn a_peer_that_guesses_is_refused_unseen_and_others_are_not() {
        let failures = Failures::new(10);
        exhaust(&failures, peer("192.0.2.1"));
        let refused = failures.admit(peer("192.0.2.1"), "new", NOW).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(6)));
        assert!(
            failures
                .admit(peer("::ffff:192.0.2.1"), "new", NOW)
                .is_err()
        );
        assert!(failures.admit(peer("192.0.2.2"), "new", NOW).is_ok());
        assert!(failures.admit(None, "new", NOW).is_ok());
        let later = NOW.plus(Duration::from_secs(6));
        assert!(failures.admit(peer("192.0.2.1"), "new", later).is_ok());
    }

    #[test]
    fn a_tenant_behind_the_same_address_is_not_locked_out() {
        let failures = Failures::new(10);
        failures.succeeded("tenant", NOW);
        exhaust(&failures, peer("192.0.2.1"));
        assert!(failures.admit(peer("192.0.2.1"), "tenant", NOW).is_ok());
        // Until it is revoked.
        failures.failed(peer("192.0.2.1"), "tenant", NOW);
        assert!(failures.admit(peer("192.0.2.1"), "tenant", NOW).is_err());
    }

    #[test]
    fn changing_the_address_within_an_ipv6_network_does_not_help() {
        let failures = Failures::new(10);
        exhaust(&failures, peer("2001:db8::1"));
        assert!(
            failures
                .admit(peer("2001:db8::ffff:1"), "new", NOW)
                .is_err()
        );
        assert!(failures.admit(peer("2001:db8:0:1::1"), "new", NOW).is_ok());
    }
}
