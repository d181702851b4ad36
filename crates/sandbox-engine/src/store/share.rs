//! How many events each owner keeps when there are too many.

/// The most that each may keep so that all keep `max` together: those with fewer keep all they
/// have, and what they leave is shared by the others. So whoever writes much pushes out only what
/// is their own. `None` when all may keep everything.
pub(super) fn fair_share(mut counts: Vec<u64>, max: u64) -> Option<u64> {
    let total = counts
        .iter()
        .fold(0, |sum: u64, count| sum.saturating_add(*count));
    if total <= max {
        return None;
    }
    counts.sort_unstable();
    let mut left = max;
    let mut owners = counts.len() as u64;
    for count in counts {
        let share = left / owners;
        if count > share {
            return Some(share);
        }
        left -= count;
        owners -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_little_keeps_it_all() {
        assert_eq!(fair_share(vec![3, 1_000_000, 5], 100), Some(92));
        assert_eq!(fair_share(vec![60, 40], 100), None);
        assert_eq!(fair_share(vec![80, 80, 80], 100), Some(33));
        assert_eq!(fair_share(vec![5; 10], 3), Some(0));
        assert_eq!(fair_share(Vec::new(), 0), None);
    }

    proptest! {
        #[test]
        fn all_together_keep_no_more_than_the_limit_and_nearly_that(
            counts in proptest::collection::vec(0u64..1_000, 1..20),
            max in 0u64..5_000,
        ) {
            let share = fair_share(counts.clone(), max).unwrap_or(u64::MAX);
            let kept: u64 = counts.iter().map(|count| *count.min(&share)).sum();
            prop_assert!(kept <= max);
            let all: u64 = counts.iter().sum();
            prop_assert!(kept + counts.len() as u64 > max.min(all));
        }
    }
}
