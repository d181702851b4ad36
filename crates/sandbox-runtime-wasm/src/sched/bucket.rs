//! How much CPU time a group may use.

/// CPU time that a group may use at once after it has rested, in nanoseconds at a rate of 1.
const BURST_NANOS: i64 = 100_000_000;

/// CPU time that flows in at a rate and is used up by what runs. Use may overdraw it; then nothing
/// may run until it is made good.
#[derive(Debug)]
pub(super) struct Bucket {
    milli_cpus: u32,
    level: i64,
    filled: u64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(milli_cpus: u32, now: u64) -> Self {
        let mut bucket = Self {
            milli_cpus,
            level: 0,
            filled: now,
        };
        bucket.level = bucket.burst();
        bucket
    }

    fn burst(&self) -> i64 {
        BURST_NANOS * i64::from(self.milli_cpus) / 1000
    }

    /// Changes the rate; what is there stays, as far as it fits.
    pub(super) fn set_rate(&mut self, milli_cpus: u32, now: u64) {
        self.fill(now);
        self.milli_cpus = milli_cpus;
        self.level = self.level.min(self.burst());
    }

    /// Lets flow in what has come until `now`.
    fn fill(&mut self, now: u64) {
        let passed = i64::try_from(now.saturating_sub(self.filled)).unwrap_or(i64::MAX);
        // Longer than this fills every bucket, and would overflow the product.
        let passed = passed.min(1 << 42);
        self.filled = self.filled.max(now);
        let inflow = passed * i64::from(self.milli_cpus) / 1000;
        self.level = self.level.saturating_add(inflow).min(self.burst());
    }

    /// Takes `used` nanoseconds out.
    pub(super) fn charge(&mut self, used: u64, now: u64) {
        self.fill(now);
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        self.level = self.level.saturating_sub(used);
    }

    /// Whether a slice that has used this much so far has overdrawn it.
    pub(super) fn would_wait(&mut self, used: u64, now: u64) -> bool {
        self.fill(now);
        i64::try_from(used).unwrap_or(i64::MAX) > self.level
    }

    /// Nanoseconds until something may run; 0 for now.
    pub(super) fn wait(&mut self, now: u64) -> u64 {
        self.fill(now);
        match u64::try_from(-self.level) {
            Ok(missing) if missing > 0 => {
                (missing * 1000).div_ceil(u64::from(self.milli_cpus.max(1)))
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_group_that_overdraws_waits_until_its_rate_has_made_it_good() {
        let mut bucket = Bucket::new(500, 0);
        bucket.charge(50 * MS, 0);
        assert_eq!(
            bucket.wait(0),
            0,
            "a rested group may use its burst at once"
        );
        bucket.charge(10 * MS, 0);
        assert_eq!(bucket.wait(0), 20 * MS);
        assert_eq!(bucket.wait(5 * MS), 15 * MS);
        assert_eq!(bucket.wait(20 * MS), 0);
    }

    #[test]
    fn rest_fills_it_to_its_burst_and_no_further() {
        let mut bucket = Bucket::new(1000, 0);
        assert_eq!(bucket.wait(u64::MAX / 2), 0);
        bucket.charge(101 * MS, u64::MAX / 2);
        assert_eq!(bucket.wait(u64::MAX / 2), MS);
    }

    #[test]
    fn a_lower_rate_counts_at_once() {
        let mut bucket = Bucket::new(1000, 0);
        bucket.set_rate(10, 0);
        bucket.charge(2 * MS, 0);
        assert_eq!(bucket.wait(0), 100 * MS);
    }
}
