//! Where a sandbox is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a sandbox is in its life. The [module](super) draws how the states follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being made; it cannot be used yet.
    Creating,
    /// It can be used. The only state whose time counts as usage.
    Running,
    /// It is being paused.
    Pausing,
    /// It is frozen or suspended and uses no CPU.
    Paused,
    /// It is being brought back from a pause.
    Resuming,
    /// It is being removed with all that belongs to it.
    Destroying,
    /// It is gone. Final.
    Destroyed,
    /// It could not be made, or ended without being asked to;
    /// [`Lifecycle::failure`](super::Lifecycle::failure) says why. Only Destroy is accepted.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Creating,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Resuming,
        Self::Destroying,
        Self::Destroyed,
        Self::Failed,
    ];

    /// The state in `snake_case`, as it is stored and logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Resuming => "resuming",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
            Self::Failed => "failed",
        }
    }

    /// Whether the sandbox is on its way to another state and an action, or its next try, is due.
    ///
    /// ```
    /// use sandbox_core::lifecycle::State;
    /// assert!(State::Pausing.is_transitional());
    /// assert!(!State::Paused.is_transitional());
    /// ```
    pub const fn is_transitional(self) -> bool {
        match self {
            Self::Creating | Self::Pausing | Self::Resuming | Self::Destroying => true,
            Self::Running | Self::Paused | Self::Destroyed | Self::Failed => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a sandbox can be used: what a driver asks after
/// [`Request::Activity`](super::Request::Activity) was accepted.
///
/// ```
/// use sandbox_core::Timestamp;
/// use sandbox_core::lifecycle::{Lifecycle, LifecyclePolicy, Readiness, Request};
///
/// # fn main() -> sandbox_core::Result<()> {
/// let now = Timestamp::from_millis(1_000);
/// let (mut life, actions) = Lifecycle::new(LifecyclePolicy::default(), now);
///
/// // A command for a sandbox that is still being created waits instead of failing.
/// life.handle(Request::Activity, now)?;
/// assert_eq!(life.readiness(), Readiness::Pending);
///
/// life.handle(actions[0].succeeded(), now)?;
/// assert_eq!(life.readiness(), Readiness::Ready);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// It can be used now.
    Ready,
    /// It will be usable without another request: wait for the next change and ask again.
    Pending,
    /// It will not be usable unless someone asks for it: it is paused, being paused, gone or
    /// failed.
    Unavailable,
}
