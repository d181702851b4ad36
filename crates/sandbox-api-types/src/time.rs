//! Times.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result, Timestamp};

use crate::text::serde_as_text;

/// A point in time as RFC 3339 in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
///
/// Times after the year 9999 are written as its last millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05.678Z"))]
pub struct Time(pub Timestamp);

serde_as_text!(Time);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}
