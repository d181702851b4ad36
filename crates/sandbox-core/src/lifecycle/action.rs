//! What the driver is to do, and how it says how that went.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Input, Outcome};
use crate::{Error, ErrorKind};

/// Which action an outcome belongs to. Ids of one sandbox only grow, over restarts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(u64);

impl ActionId {
    pub(super) const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The id as a number; the first action of a sandbox is 1.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to do to the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Make it and bring it to where it can be used.
    Create,
    /// Stop it from running and keep all it holds.
    Pause,
    /// Let it run again.
    Resume,
    /// Remove everything that belongs to it; succeeds when there is nothing.
    Destroy,
}

impl ActionKind {
    /// The kind in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Destroy => "destroy",
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An order to the driver. It is carried out once, after those before it, and answered once with
/// [`succeeded`](Self::succeeded) or [`failed`](Self::failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[must_use = "an action that is not carried out leaves the sandbox waiting for its outcome"]
pub struct Action {
    /// Ties the outcome to this action.
    pub id: ActionId,
    /// What to do.
    pub kind: ActionKind,
}

impl Action {
    /// The input that says this action is done.
    pub fn succeeded(self) -> Input {
        Input::Outcome(Outcome {
            action: self.id,
            result: Ok(()),
        })
    }

    /// The input that says this action failed with `error`.
    pub fn failed(self, error: impl Into<ActionError>) -> Input {
        Input::Outcome(Outcome {
            action: self.id,
            result: Err(error.into()),
        })
    }
}

/// Why an action failed: what of an [`Error`] can be stored.
///
/// ```
/// use sandbox_core::{Error, ErrorKind};
/// use sandbox_core::lifecycle::ActionError;
///
/// let error = Error::new(ErrorKind::Unavailable, "docker.destroy", "the daemon is away");
/// assert_eq!(ActionError::from(&error).to_string(), "the daemon is away");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActionError {
    /// What to branch on.
    pub kind: ErrorKind,
    /// What to say to a person.
    pub message: String,
}

impl ActionError {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Whether trying again soon makes sense: false for
    /// [`InvalidSpec`](ErrorKind::InvalidSpec), [`Unsupported`](ErrorKind::Unsupported) and
    /// [`PermissionDenied`](ErrorKind::PermissionDenied). A Destroy is tried again even then, but
    /// after [`MAX_RETRY_DELAY`](super::MAX_RETRY_DELAY).
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Conflict
            | ErrorKind::LimitExceeded
            | ErrorKind::NotFound
            | ErrorKind::Internal => true,
            ErrorKind::InvalidSpec | ErrorKind::Unsupported | ErrorKind::PermissionDenied => false,
        }
    }
}

impl From<&Error> for ActionError {
    fn from(error: &Error) -> Self {
        let message = match error.field() {
            Some(field) => format!("{field}: {}", error.message()),
            None => error.message().to_owned(),
        };
        Self::new(error.kind(), message)
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ActionError {}
