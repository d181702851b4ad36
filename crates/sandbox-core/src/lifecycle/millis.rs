//! Durations in whole milliseconds: how they are kept and how they are stored.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// `duration` without its fraction of a millisecond, so that storing it loses nothing.
pub(super) fn whole(duration: Duration) -> Duration {
    Duration::from_millis(count(duration))
}

fn count(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(count(*duration))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}
