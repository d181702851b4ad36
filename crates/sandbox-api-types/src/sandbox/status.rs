//! Where a sandbox is in its life, in the API's words.

use std::fmt;
use std::str::FromStr;

use sandbox_core::lifecycle::State;
use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where a sandbox is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    /// It is being made.
    Creating,
    /// It can be used, or is being woken and can be used as soon as that is done.
    Running,
    /// It is suspended, or about to be: it cannot be used until it is woken.
    Suspended,
    /// It is gone, or about to be.
    Destroyed,
    /// It could not be made, or ended without being asked to.
    Failed,
}

impl SandboxStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Creating,
        Self::Running,
        Self::Suspended,
        Self::Destroyed,
        Self::Failed,
    ];

    /// The status in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Destroyed => "destroyed",
            Self::Failed => "failed",
        }
    }

    /// The states that have this status: what a list filtered by it is made of.
    pub fn states(self) -> Vec<State> {
        let states = State::ALL.into_iter();
        states.filter(|state| Self::from(*state) == self).collect()
    }
}

/// The one place where states become words. A sandbox on its way counts as what a caller can do
/// with it: while it is woken, use of it waits and then works; while it is being suspended or
/// destroyed, use of it is refused.
impl From<State> for SandboxStatus {
    fn from(state: State) -> Self {
        match state {
            State::Creating => Self::Creating,
            State::Running | State::Resuming => Self::Running,
            State::Pausing | State::Paused => Self::Suspended,
            State::Destroying | State::Destroyed => Self::Destroyed,
            State::Failed => Self::Failed,
        }
    }
}

impl fmt::Display for SandboxStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SandboxStatus {
    type Err = Error;

    /// # Errors
    /// `InvalidSpec` with field `status`.
    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let message = format!(
                "{shown:?} is no status: it must be creating, running, suspended, destroyed or failed"
            );
            Error::invalid("status.parse", "status", message)
        })
    }
}
