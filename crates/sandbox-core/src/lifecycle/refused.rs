//! A request that does not fit the state.

use std::fmt;

use super::State;
use crate::{Error, ErrorKind};

/// A request was refused: it does not fit the state, and nothing was started.
///
/// As an [`Error`] it is [`ErrorKind::NotFound`] when the sandbox is destroyed and
/// [`ErrorKind::Conflict`] otherwise.
///
/// ```
/// use sandbox_core::{Error, ErrorKind, Timestamp};
/// use sandbox_core::lifecycle::{Lifecycle, LifecyclePolicy, RefusedReason, Request};
///
/// # fn main() -> sandbox_core::Result<()> {
/// let now = Timestamp::from_millis(0);
/// let (mut life, create) = Lifecycle::new(LifecyclePolicy::default(), now);
/// life.handle(create[0].succeeded(), now)?;
/// let pause = life.handle(Request::Pause, now)?;
/// life.handle(pause[0].succeeded(), now)?;
///
/// let refused = life.handle(Request::Activity, now).unwrap_err();
/// assert_eq!(refused.reason, RefusedReason::Paused);
/// assert_eq!(Error::from(refused).kind(), ErrorKind::Conflict);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The state the sandbox was, and still is, in.
    pub state: State,
    /// The name of the request.
    pub input: &'static str,
    /// Why.
    pub reason: RefusedReason,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedReason {
    /// The sandbox is paused, or about to be, and nothing but a resume wakes it.
    Paused,
    /// The sandbox has no time to live.
    NotEphemeral,
    /// The sandbox failed.
    Failed,
    /// The sandbox is being destroyed.
    Destroying,
    /// The sandbox is gone.
    Destroyed,
}

impl RefusedReason {
    const fn text(self) -> &'static str {
        match self {
            Self::Paused => "`wake` (resume) it first",
            Self::NotEphemeral => "only an ephemeral sandbox has a time to live",
            Self::Failed => "it failed and can only be destroyed",
            Self::Destroying => "it is on its way out",
            Self::Destroyed => "it no longer exists",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the request: whoever asked knows it, and by another name.
        let Self { state, reason, .. } = self;
        write!(f, "the sandbox is {state}: {}", reason.text())
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let kind = match refused.reason {
            RefusedReason::Destroyed => ErrorKind::NotFound,
            RefusedReason::Paused
            | RefusedReason::NotEphemeral
            | RefusedReason::Failed
            | RefusedReason::Destroying => ErrorKind::Conflict,
        };
        // The message already says all of it; as a source it would be said twice.
        Self::new(kind, "lifecycle.handle", refused.to_string())
    }
}
