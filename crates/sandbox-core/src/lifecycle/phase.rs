//! A state with what belongs to it, so that a state cannot lack its action.

use serde::{Deserialize, Serialize};

use super::{Action, ActionId, ActionKind, Readiness, State};
use crate::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Phase {
    Creating { action: ActionId, wanted: Rest },
    Running,
    Pausing { action: ActionId, wanted: Rest },
    Paused,
    Resuming { action: ActionId, wanted: Rest },
    Destroying { cleanup: Cleanup },
    Destroyed,
    Failed { remains: Remains },
}

/// Where a sandbox shall come to rest when the action on its way is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rest {
    Running,
    Paused,
}

/// What a failed sandbox may still hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Remains {
    /// Its files, until someone destroys it.
    Kept,
    /// Something, which is being removed.
    Releasing(Cleanup),
    /// Nothing, as far as the runtime knows.
    Released,
}

/// A Destroy that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cleanup {
    /// Tries that failed so far.
    pub(super) failures: u32,
    pub(super) step: CleanupStep,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CleanupStep {
    Issued { action: ActionId },
    RetryAt { at: Timestamp },
}

impl Cleanup {
    pub(super) fn issued(action: ActionId, failures: u32) -> Self {
        Self {
            failures,
            step: CleanupStep::Issued { action },
        }
    }

    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        match self.step {
            CleanupStep::Issued { .. } => None,
            CleanupStep::RetryAt { at } => Some(at),
        }
    }

    fn action(&self) -> Option<ActionId> {
        match self.step {
            CleanupStep::Issued { action } => Some(action),
            CleanupStep::RetryAt { .. } => None,
        }
    }
}

impl Remains {
    pub(super) fn cleanup(&self) -> Option<&Cleanup> {
        match self {
            Self::Kept | Self::Released => None,
            Self::Releasing(cleanup) => Some(cleanup),
        }
    }
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Creating { .. } => State::Creating,
            Self::Running => State::Running,
            Self::Pausing { .. } => State::Pausing,
            Self::Paused => State::Paused,
            Self::Resuming { .. } => State::Resuming,
            Self::Destroying { .. } => State::Destroying,
            Self::Destroyed => State::Destroyed,
            Self::Failed { .. } => State::Failed,
        }
    }

    /// The state the sandbox comes to rest in when every action succeeds and nothing else is asked.
    pub(super) fn target(&self) -> State {
        match self {
            Self::Creating { wanted, .. }
            | Self::Pausing { wanted, .. }
            | Self::Resuming { wanted, .. } => match wanted {
                Rest::Running => State::Running,
                Rest::Paused => State::Paused,
            },
            Self::Running => State::Running,
            Self::Paused => State::Paused,
            Self::Destroying { .. } | Self::Destroyed => State::Destroyed,
            Self::Failed { .. } => State::Failed,
        }
    }

    pub(super) fn readiness(&self) -> Readiness {
        match self {
            Self::Running => Readiness::Ready,
            Self::Creating { wanted, .. }
            | Self::Pausing { wanted, .. }
            | Self::Resuming { wanted, .. } => match wanted {
                Rest::Running => Readiness::Pending,
                Rest::Paused => Readiness::Unavailable,
            },
            Self::Paused | Self::Destroying { .. } | Self::Destroyed | Self::Failed { .. } => {
                Readiness::Unavailable
            }
        }
    }

    /// The Destroy that is not done yet.
    pub(super) fn cleanup(&self) -> Option<&Cleanup> {
        match self {
            Self::Destroying { cleanup } => Some(cleanup),
            Self::Failed { remains } => remains.cleanup(),
            Self::Creating { .. }
            | Self::Running
            | Self::Pausing { .. }
            | Self::Paused
            | Self::Resuming { .. }
            | Self::Destroyed => None,
        }
    }

    pub(super) fn cleanup_mut(&mut self) -> Option<&mut Cleanup> {
        match self {
            Self::Destroying { cleanup }
            | Self::Failed {
                remains: Remains::Releasing(cleanup),
            } => Some(cleanup),
            Self::Failed {
                remains: Remains::Kept | Remains::Released,
            }
            | Self::Creating { .. }
            | Self::Running
            | Self::Pausing { .. }
            | Self::Paused
            | Self::Resuming { .. }
            | Self::Destroyed => None,
        }
    }

    /// The action whose outcome is awaited.
    pub(super) fn outstanding(&self) -> Option<Action> {
        let (id, kind) = match self {
            Self::Creating { action, .. } => (*action, ActionKind::Create),
            Self::Pausing { action, .. } => (*action, ActionKind::Pause),
            Self::Resuming { action, .. } => (*action, ActionKind::Resume),
            Self::Destroying { .. } | Self::Failed { .. } => {
                (self.cleanup()?.action()?, ActionKind::Destroy)
            }
            Self::Running | Self::Paused | Self::Destroyed => return None,
        };
        Some(Action { id, kind })
    }
}
