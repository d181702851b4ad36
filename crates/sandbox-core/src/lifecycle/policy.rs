//! How long a sandbox lives, when it is suspended, and who may wake it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;
use crate::{Error, Result};

/// The longest time to live and the longest idle timeout: 24 hours.
pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time to live where none is given: 5 minutes.
pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(5 * 60);
/// The idle timeout where none is given: 10 minutes.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

const OPERATION: &str = "lifecycle.policy";

/// The checked policy of one sandbox. The default is [`Ephemeral::default`] without auto wake.
///
/// ```
/// use std::time::Duration;
/// use sandbox_core::lifecycle::{Ephemeral, LifecyclePolicy, OnTimeout};
///
/// # fn main() -> sandbox_core::Result<()> {
/// let policy = LifecyclePolicy::new(Ephemeral {
///     on_timeout: OnTimeout::Pause,
///     pause_stops_clock: true,
///     ..Ephemeral::new(Duration::from_secs(300))
/// })?
/// .with_auto_wake(true);
/// assert!(policy.auto_wake());
///
/// let refused = LifecyclePolicy::new(Ephemeral::new(Duration::ZERO)).unwrap_err();
/// assert_eq!(refused.field(), Some("time_to_live"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct LifecyclePolicy {
    mode: Mode,
    auto_wake: bool,
}

/// What a stored policy is before its limits are checked.
#[derive(Deserialize)]
struct Unchecked {
    mode: Mode,
    #[serde(default)]
    auto_wake: bool,
}

impl TryFrom<Unchecked> for LifecyclePolicy {
    type Error = Error;

    fn try_from(unchecked: Unchecked) -> Result<Self> {
        Ok(Self::new(unchecked.mode)?.with_auto_wake(unchecked.auto_wake))
    }
}

/// Whether a sandbox ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mode {
    /// It ends, or is paused, after its time to live.
    Ephemeral(Ephemeral),
    /// It lives until it is destroyed and is suspended while nobody uses it.
    Persistent(Persistent),
}

/// A sandbox with a time to live. Durations are kept, and serialised, in whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ephemeral {
    /// How long it lives from when it first runs; 1 ms to `max_time_to_live`.
    #[serde(rename = "time_to_live_ms", with = "millis")]
    pub time_to_live: Duration,
    /// How far ahead a request may put the end, counted from that request; 1 ms to
    /// [`MAX_TIME_TO_LIVE`]. A request that asks for more gets this.
    #[serde(rename = "max_time_to_live_ms", with = "millis")]
    pub max_time_to_live: Duration,
    /// What happens at the end.
    pub on_timeout: OnTimeout,
    /// Whether the time to live stands still while the sandbox is paused.
    pub pause_stops_clock: bool,
}

/// What happens when the time to live is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The sandbox is destroyed, paused or not.
    Kill,
    /// The sandbox is paused and waits, for as long as it takes, for a resume or a destroy.
    Pause,
}

/// A sandbox that lives until it is destroyed. The duration is kept in whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persistent {
    /// How long without activity until it is paused; 1 ms to [`MAX_TIME_TO_LIVE`].
    #[serde(rename = "idle_timeout_ms", with = "millis")]
    pub idle_timeout: Duration,
}

impl Ephemeral {
    /// Killed after `time_to_live`, extendable to [`MAX_TIME_TO_LIVE`], and pausing does not
    /// stop the clock. Checked by [`LifecyclePolicy::new`].
    pub const fn new(time_to_live: Duration) -> Self {
        Self {
            time_to_live,
            max_time_to_live: MAX_TIME_TO_LIVE,
            on_timeout: OnTimeout::Kill,
            pause_stops_clock: false,
        }
    }

    fn check(&mut self) -> Result<()> {
        check(
            "max_time_to_live",
            &mut self.max_time_to_live,
            MAX_TIME_TO_LIVE,
        )?;
        check(
            "time_to_live",
            &mut self.time_to_live,
            self.max_time_to_live,
        )
    }
}

impl Default for Ephemeral {
    /// [`DEFAULT_TIME_TO_LIVE`], then killed.
    fn default() -> Self {
        Self::new(DEFAULT_TIME_TO_LIVE)
    }
}

impl Persistent {
    /// Paused after `idle_timeout` without activity. Checked by [`LifecyclePolicy::new`].
    pub const fn new(idle_timeout: Duration) -> Self {
        Self { idle_timeout }
    }
}

impl Default for Persistent {
    /// [`DEFAULT_IDLE_TIMEOUT`].
    fn default() -> Self {
        Self::new(DEFAULT_IDLE_TIMEOUT)
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self::Ephemeral(Ephemeral::default())
    }
}

impl From<Ephemeral> for Mode {
    fn from(ephemeral: Ephemeral) -> Self {
        Self::Ephemeral(ephemeral)
    }
}

impl From<Persistent> for Mode {
    fn from(persistent: Persistent) -> Self {
        Self::Persistent(persistent)
    }
}

impl LifecyclePolicy {
    /// The policy of `mode`, without auto wake. Fractions of a millisecond are cut off.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming `time_to_live`,
    /// `max_time_to_live` or `idle_timeout` when it is under 1 ms or over its maximum.
    pub fn new(mode: impl Into<Mode>) -> Result<Self> {
        let mut mode = mode.into();
        match &mut mode {
            Mode::Ephemeral(ephemeral) => ephemeral.check()?,
            Mode::Persistent(Persistent { idle_timeout }) => {
                check("idle_timeout", idle_timeout, MAX_TIME_TO_LIVE)?;
            }
        }
        Ok(Self {
            mode,
            auto_wake: false,
        })
    }

    /// Sets whether activity on a paused sandbox resumes it instead of being refused.
    #[must_use]
    pub fn with_auto_wake(mut self, auto_wake: bool) -> Self {
        self.auto_wake = auto_wake;
        self
    }

    /// Whether the sandbox ends by itself, and when.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Whether activity on a paused sandbox resumes it.
    pub fn auto_wake(&self) -> bool {
        self.auto_wake
    }

    pub(super) fn ephemeral(&self) -> Option<&Ephemeral> {
        match &self.mode {
            Mode::Ephemeral(ephemeral) => Some(ephemeral),
            Mode::Persistent(_) => None,
        }
    }
}

fn check(field: &'static str, duration: &mut Duration, max: Duration) -> Result<()> {
    *duration = millis::whole(*duration);
    if duration.is_zero() {
        return Err(Error::invalid(OPERATION, field, "must be at least 1 ms"));
    }
    if *duration > max {
        let max = humantime::format_duration(max);
        return Err(Error::invalid(
            OPERATION,
            field,
            format!("must be at most {max}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn refused(mode: impl Into<Mode>) -> (ErrorKind, String) {
        let error = LifecyclePolicy::new(mode).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn durations_out_of_range_are_refused_by_name_and_limit() {
        let over = MAX_TIME_TO_LIVE + Duration::from_millis(1);
        let invalid = |text: &str| (ErrorKind::InvalidSpec, format!("lifecycle.policy: {text}"));
        assert_eq!(
            refused(Ephemeral::new(over)),
            invalid("time_to_live: must be at most 1day")
        );
        assert_eq!(
            refused(Ephemeral::new(Duration::from_micros(999))),
            invalid("time_to_live: must be at least 1 ms")
        );
        assert_eq!(
            refused(Persistent::new(Duration::ZERO)),
            invalid("idle_timeout: must be at least 1 ms")
        );
        assert_eq!(
            refused(Persistent::new(over)),
            invalid("idle_timeout: must be at most 1day")
        );
        assert_eq!(
            refused(Ephemeral {
                max_time_to_live: over,
                ..Ephemeral::default()
            }),
            invalid("max_time_to_live: must be at most 1day")
        );
        assert_eq!(
            refused(Ephemeral {
                max_time_to_live: Duration::from_secs(60),
                ..Ephemeral::default()
            }),
            invalid("time_to_live: must be at most 1m")
        );
    }

    #[test]
    fn the_limits_themselves_are_accepted() {
        LifecyclePolicy::new(Ephemeral::new(Duration::from_millis(1))).unwrap();
        LifecyclePolicy::new(Persistent::new(MAX_TIME_TO_LIVE)).unwrap();
    }

    #[test]
    fn a_policy_is_stored_in_milliseconds_and_read_back_equal() {
        let policy = LifecyclePolicy::new(Ephemeral::new(Duration::from_micros(1_500_700)))
            .unwrap()
            .with_auto_wake(true);
        let json = serde_json::to_value(&policy).unwrap();
        assert_eq!(json["mode"]["time_to_live_ms"], 1500);
        assert_eq!(json["mode"]["kind"], "ephemeral");
        assert_eq!(
            serde_json::from_value::<LifecyclePolicy>(json).unwrap(),
            policy
        );
    }

    #[test]
    fn a_stored_policy_out_of_range_is_refused() {
        let json = r#"{"mode":{"kind":"persistent","idle_timeout_ms":0}}"#;
        let error = serde_json::from_str::<LifecyclePolicy>(json).unwrap_err();
        assert!(error.to_string().contains("idle_timeout"), "{error}");
    }
}
