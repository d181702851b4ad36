//! Why a sandbox failed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ActionError;

/// Why a sandbox is [`Failed`](super::State::Failed). The first cause is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Failure {
    /// It could not be made.
    CreateFailed {
        /// What the runtime said.
        error: ActionError,
    },
    /// Its first process ended.
    Exited {
        /// The exit code, where one is known.
        code: Option<i32>,
    },
    /// Its first process was killed for want of memory.
    OutOfMemory,
    /// After a restart it was found without a first process, or not made whole.
    Broken,
    /// The runtime did not have it after a restart.
    Missing,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateFailed { error } => write!(f, "it could not be created: {error}"),
            Self::Exited { code: Some(code) } => {
                write!(f, "its first process exited with code {code}")
            }
            Self::Exited { code: None } => f.write_str("its first process ended"),
            Self::OutOfMemory => f.write_str("its first process ran out of memory"),
            Self::Broken => f.write_str("it was found broken after a restart"),
            Self::Missing => f.write_str("it was missing after a restart"),
        }
    }
}
