//! Points in time as plain values: whoever calls says what time it is.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A point in time: whole milliseconds since the Unix epoch, UTC.
///
/// Arithmetic saturates, so that no configured duration can overflow a deadline.
/// It is shown and parsed as RFC 3339 (`2026-01-02T03:04:05.678Z`) and serialised as
/// the number of milliseconds.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The last point in time this type can hold: a deadline that never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// This point moved later by `duration`, at most to [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The time from `earlier` to this point; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before the Unix epoch become the epoch.
    fn from(time: SystemTime) -> Self {
        Self::EPOCH.plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// The last instant RFC 3339 can write: 9999-12-31T23:59:59.999Z.
const LAST_RFC3339_MILLIS: u64 = 253_402_300_799_999;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Duration::from_millis(self.0.min(LAST_RFC3339_MILLIS));
        humantime::format_rfc3339_millis(UNIX_EPOCH + shown).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        humantime::parse_rfc3339(text).map(Self::from).map_err(|e| {
            Error::new(
                ErrorKind::InvalidSpec,
                "timestamp.parse",
                format!("{text:?} is not an RFC 3339 time such as 2026-01-02T03:04:05Z"),
            )
            .with_source(e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(
            Timestamp::EPOCH.since(Timestamp::from_millis(5)),
            Duration::ZERO
        );
    }

    #[test]
    fn text_round_trips() {
        let time = Timestamp::from_millis(1_767_322_445_678);
        assert_eq!(time.to_string(), "2026-01-02T02:54:05.678Z");
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        assert!(
            Timestamp::MAX
                .to_string()
                .starts_with("9999-12-31T23:59:59.999")
        );
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
