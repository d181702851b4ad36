//! What an organisation may use, and what it has used this month.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};

/// The field of the monthly allowance in errors and events.
pub(crate) const COMPUTE_SECONDS: &str = "quotas.compute_seconds_per_month";
const MILLIS_A_DAY: u64 = 86_400_000;

/// The limits of an organisation; `None` is no limit.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Sandboxes at once, paused ones included.
    pub concurrent_sandboxes: Option<u32>,
    /// Thousandths of a CPU of all sandboxes together.
    pub milli_cpus: Option<u64>,
    /// Bytes of memory of all sandboxes together.
    pub memory: Option<u64>,
    /// Seconds that sandboxes run, in a calendar month (UTC).
    pub compute_seconds_per_month: Option<u64>,
    /// Requests a minute, at least 1; as many may come at once after a quiet minute.
    pub requests_per_minute: Option<u32>,
}

impl Quotas {
    /// Checks them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field
    /// `quotas.requests_per_minute` when that is zero: it would lock the organisation out of
    /// everything, changing its quotas included.
    pub fn validate(&self) -> Result<()> {
        if self.requests_per_minute == Some(0) {
            let field = "quotas.requests_per_minute";
            return Err(Error::invalid("owners.quotas", field, "must be at least 1"));
        }
        Ok(())
    }
}

/// A calendar month in UTC, shown as `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Months since January of the year 0.
    index: u64,
}

impl Month {
    /// The month in which `now` is.
    pub fn of(now: Timestamp) -> Self {
        let (year, month) = year_and_month(now.as_millis() / MILLIS_A_DAY);
        Self {
            index: year * 12 + month - 1,
        }
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        let days = days_to(self.index / 12, self.index % 12 + 1);
        Timestamp::from_millis(days.saturating_mul(MILLIS_A_DAY))
    }

    /// When the next month begins.
    pub fn end(self) -> Timestamp {
        let next = self.index + 1;
        let days = days_to(next / 12, next % 12 + 1);
        Timestamp::from_millis(days.saturating_mul(MILLIS_A_DAY))
    }
}

impl FromStr for Month {
    type Err = Error;

    /// Reads `2026-01`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `month` unless it is four digits of a year from 1970
    /// on, a dash, and two of a month.
    fn from_str(text: &str) -> Result<Self> {
        let digits = |text: &str, count| {
            let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| fits)
        };
        let parts = text.split_once('-');
        let read = parts.and_then(|(year, month)| Some((digits(year, 4)?, digits(month, 2)?)));
        match read {
            Some((year @ 1970.., month @ 1..=12)) => Ok(Self {
                index: year * 12 + month - 1,
            }),
            Some(_) | None => {
                let shown: String = text.chars().take(20).collect();
                let message = format!("{shown:?} is not a month from 1970 on such as 2026-01");
                Err(Error::invalid("owners.month", "month", message))
            }
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.index / 12, self.index % 12 + 1)
    }
}

/// The civil year and month (1 to 12) of a day counted from 1970-01-01: Howard Hinnant's
/// `civil_from_days`, for days that are not negative.
fn year_and_month(days: u64) -> (u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month)
}

/// Days from 1970-01-01 to the first of a month: `days_from_civil`, for years from 1970.
fn days_to(year: u64, month: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let era = year / 400;
    let year_of_era = year % 400;
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// What an organisation used of its compute seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthUsage {
    /// The month.
    pub month: Month,
    /// Seconds used in it.
    pub used: u64,
    /// Seconds there are; `None`: no limit.
    pub limit: Option<u64>,
}

impl MonthUsage {
    /// How `used` seconds, in the month of `now`, stand to `quotas`.
    pub fn new(quotas: &Quotas, used: u64, now: Timestamp) -> Self {
        Self {
            month: Month::of(now),
            used,
            limit: quotas.compute_seconds_per_month,
        }
    }

    /// Refuses to start anything when nothing is left.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] with field `quotas.compute_seconds_per_month`.
    pub fn check(&self) -> Result<()> {
        let Some(limit) = self.limit.filter(|_| self.is_exhausted()) else {
            return Ok(());
        };
        let Self { month, used, .. } = self;
        let message = format!(
            "the organisation has used {used} compute seconds in {month}; the limit is {limit}"
        );
        let error = Error::new(ErrorKind::LimitExceeded, "owners.reserve", message);
        Err(error.with_field(COMPUTE_SECONDS))
    }

    /// Seconds left; `None`: no limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }

    /// Whether nothing is left, so that running sandboxes are to be stopped.
    pub fn is_exhausted(&self) -> bool {
        self.remaining() == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_begin_and_end_at_midnight_utc() {
        for (time, month, end) in [
            ("1970-01-01T00:00:00Z", "1970-01", "1970-02-01T00:00:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02", "2024-03-01T00:00:00Z"),
            ("2025-12-31T23:59:59Z", "2025-12", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01", "2026-02-01T00:00:00Z"),
            ("2100-02-28T12:00:00Z", "2100-02", "2100-03-01T00:00:00Z"),
        ] {
            let found = Month::of(time.parse().unwrap());
            assert_eq!(found.to_string(), month);
            assert_eq!(found.end(), end.parse().unwrap());
        }
    }

    #[test]
    fn what_is_no_month_is_refused_by_name() {
        for bad in [
            "",
            "2026",
            "2026-1",
            "2026-00",
            "2026-13",
            "26-01",
            "1969-12",
            "+026-01",
            "2026-01-01",
            "2026_01",
            "\u{662}026-01",
        ] {
            assert_eq!(
                bad.parse::<Month>().unwrap_err().field(),
                Some("month"),
                "{bad:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_month_ends_where_the_next_begins(millis in 0u64..253_402_300_799_999) {
            let now = Timestamp::from_millis(millis);
            let month = Month::of(now);
            prop_assert!(month.end() > now);
            prop_assert_eq!(Month::of(month.end()).index, month.index + 1);
            let last = Timestamp::from_millis(month.end().as_millis() - 1);
            prop_assert_eq!(Month::of(last), month);
            prop_assert!(now.to_string().starts_with(&month.to_string()));
            prop_assert_eq!(month.to_string().parse::<Month>().unwrap(), month);
        }
    }
}
