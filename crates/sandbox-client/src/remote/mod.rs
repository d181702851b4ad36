//! A server as a runtime: remote sandboxes where local ones would stand.

mod error;
mod events;
mod gate;
mod link;
mod note;
mod positions;
mod process;
mod recover;
mod runtime;
mod sandbox;
mod stdin;

use std::time::Duration;

use sandbox_core::RuntimeName;

pub use self::note::REMOTE_METADATA;
pub use self::runtime::RemoteRuntime;

/// How a [`RemoteRuntime`] uses its server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteConfig {
    /// The runtime of the server that has the sandboxes; without one, its default.
    pub runtime: Option<RuntimeName>,
    /// How long a process whose connection broke is tried to be reached again before its events
    /// end with an error. Default: 60 seconds.
    pub reconnect_patience: Duration,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            runtime: None,
            reconnect_patience: Duration::from_secs(60),
        }
    }
}
