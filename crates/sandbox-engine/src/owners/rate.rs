//! Request rates: a token bucket for each of many, driven by the caller's clock.
//!
//! Kept as one number a bucket, the time at which it is full again (the "generic cell rate
//! algorithm"), so that those who are idle cost nothing and no timer runs.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use sandbox_core::Timestamp;

const MINUTE_MICROS: u64 = 60_000_000;
/// How many buckets are remembered before the full ones are dropped.
const SWEEP_ABOVE: usize = 1024;

/// Whether a request may go on, and what to tell its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether it may.
    pub allowed: bool,
    /// Requests a minute there may be.
    pub limit: u32,
    /// Requests that may come at once after this one.
    pub remaining: u32,
    /// When all of `limit` may come at once again.
    pub reset: Timestamp,
    /// How long to wait before the next request is allowed; zero when this one was.
    pub retry_after: Duration,
}

/// Counts what each of many does against a limit a minute. It remembers those who did something in
/// the last minute, and at most as many again.
#[derive(Debug)]
pub struct RateLimiter<K> {
    /// When each bucket is full again, in microseconds since the epoch.
    full_at: HashMap<K, u64>,
    sweep_above: usize,
}

impl<K> Default for RateLimiter<K> {
    fn default() -> Self {
        Self {
            full_at: HashMap::new(),
            sweep_above: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    /// What [`check`](Self::check) would say, counting nothing.
    pub fn peek(&self, who: &K, limit: u32, now: Timestamp) -> RateDecision {
        self.decide(who, limit, now).0
    }

    /// Counts one request of `who` at `now` against `limit` a minute, at least 1; as many may come
    /// at once after a quiet minute.
    pub fn check(&mut self, who: &K, limit: u32, now: Timestamp) -> RateDecision {
        let (decision, full_at) = self.decide(who, limit, now);
        // Also when refused: a time that was clamped must stay so.
        self.full_at.insert(who.clone(), full_at);
        self.sweep(now.as_millis().saturating_mul(1000));
        decision
    }

    /// The decision, and when the bucket is full again after it.
    fn decide(&self, who: &K, limit: u32, now: Timestamp) -> (RateDecision, u64) {
        let limit = limit.max(1);
        let now_micros = now.as_millis().saturating_mul(1000);
        let cost = (MINUTE_MICROS / u64::from(limit)).max(1);
        // A clock that was set back, or a limit that was raised, must not lock anybody out.
        let full_at = self
            .full_at
            .get(who)
            .map_or(now_micros, |at| *at)
            .clamp(now_micros, now_micros.saturating_add(MINUTE_MICROS));
        let after = full_at.saturating_add(cost);
        let ceiling = now_micros.saturating_add(cost.saturating_mul(limit.into()));
        let allowed = after <= ceiling;
        let kept = if allowed { after } else { full_at };
        let left = ceiling.saturating_sub(kept) / cost;
        let decision = RateDecision {
            allowed,
            limit,
            remaining: u32::try_from(left).unwrap_or(limit),
            reset: Timestamp::from_millis(kept.div_ceil(1000)),
            retry_after: Duration::from_micros(after.saturating_sub(ceiling)),
        };
        (decision, kept)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.full_at.len()
    }

    /// Drops those whose bucket is full, once there are twice as many as after the last
    /// time: a constant cost a request.
    fn sweep(&mut self, now_micros: u64) {
        if self.full_at.len() <= self.sweep_above.max(SWEEP_ABOVE) {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now_micros);
        self.sweep_above = self.full_at.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::super::OrganisationId;
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn organisation(name: &str) -> OrganisationId {
        OrganisationId::new(name).unwrap()
    }

    #[test]
    fn a_burst_of_the_limit_passes_and_the_next_waits_its_turn() {
        let mut limiter = RateLimiter::default();
        let org = organisation("a");
        for left in (0..60).rev() {
            let decision = limiter.check(&org, 60, at(0));
            assert!(decision.allowed);
            assert_eq!(decision.remaining, left);
        }
        assert!(!limiter.peek(&org, 60, at(0)).allowed);
        let refused = limiter.check(&org, 60, at(0));
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        assert_eq!(refused.reset, at(60_000));
        assert!(!limiter.check(&org, 60, at(999)).allowed);
        assert!(limiter.check(&org, 60, at(1000)).allowed);
        assert!(!limiter.check(&org, 60, at(1000)).allowed);
    }

    #[test]
    fn one_organisation_does_not_slow_another() {
        let mut limiter = RateLimiter::default();
        assert!(limiter.check(&organisation("a"), 1, at(0)).allowed);
        assert!(!limiter.check(&organisation("a"), 1, at(0)).allowed);
        assert!(limiter.check(&organisation("b"), 1, at(0)).allowed);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_more_than_a_minute() {
        let mut limiter = RateLimiter::default();
        let org = organisation("a");
        assert!(limiter.check(&org, 1, at(900_000_000)).allowed);
        let refused = limiter.check(&org, 1, at(0));
        assert!(refused.retry_after <= Duration::from_secs(60));
        assert!(limiter.check(&org, 1, at(60_000)).allowed);
    }

    #[test]
    fn idle_organisations_are_forgotten() {
        let mut limiter = RateLimiter::default();
        for number in 0..10_000_u64 {
            let org = organisation(&format!("o{number}"));
            assert!(limiter.check(&org, 1000, at(number * 1000)).allowed);
        }
        assert!(limiter.full_at.len() <= SWEEP_ABOVE * 2);
    }
}
