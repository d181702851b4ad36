//! Which month time belongs to.

use std::time::Duration;

use sandbox_core::Timestamp;

use crate::owners::Month;

/// The `spent` that ended at `now`, in milliseconds by month.
pub(crate) fn by_month(spent: Duration, now: Timestamp) -> Vec<(Month, u64)> {
    let spent = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
    let mut from = Timestamp::from_millis(now.as_millis().saturating_sub(spent));
    let mut parts = Vec::new();
    while from < now {
        let month = Month::of(from);
        let to = month.end().min(now);
        let millis = to.as_millis() - from.as_millis();
        parts.push((month, millis));
        from = to;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn time_over_the_end_of_a_month_is_split_there() {
        let now = at("2026-03-01T00:00:02.500Z");
        let parts = by_month(Duration::from_secs(29 * 24 * 3600), now);
        let shown: Vec<_> = parts.iter().map(|(m, ms)| (m.to_string(), *ms)).collect();
        let day = 24 * 3600 * 1000;
        assert_eq!(
            shown,
            [
                ("2026-01".to_owned(), day - 2_500),
                ("2026-02".to_owned(), 28 * day),
                ("2026-03".to_owned(), 2_500),
            ]
        );
    }

    #[test]
    fn no_time_belongs_to_no_month() {
        assert!(by_month(Duration::ZERO, at("2026-03-01T00:00:00Z")).is_empty());
    }
}
