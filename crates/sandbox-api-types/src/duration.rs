//! Durations in requests.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sandbox_core::{Error, Result, parse_duration};

use crate::text::serde_as_text;

/// A duration as text with units: `30s`, `5m`, `1h30m`, `250ms`. A bare number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "5m"))]
pub struct DurationText(pub Duration);

serde_as_text!(DurationText);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl FromStr for DurationText {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_duration("duration", text).map(Self)
    }
}

impl From<Duration> for DurationText {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<DurationText> for Duration {
    fn from(text: DurationText) -> Self {
        text.0
    }
}

/// Whole milliseconds, as answers have them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole seconds, rounded up, as answers have them.
pub(crate) fn seconds(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(part)
}
