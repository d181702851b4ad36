//! How long, and how much, of a server.

use std::time::Duration;

/// What the client waits for and takes, so that no server can hold or fill it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long making a connection may take. Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How long the answer to a call that only asks may take, whole. Default: 60 seconds.
    pub call_timeout: Duration,
    /// How long the answer to a call that works may take (create, destroy, suspend, snapshot, a
    /// command beyond its own time limit). Default: 15 minutes.
    pub work_timeout: Duration,
    /// How long a stream, up or down, may stand still. Servers say every 20 seconds that they are
    /// alive. Default: 60 seconds.
    pub idle_timeout: Duration,
    /// The most bytes of an answer that is read whole. Default: 128 MiB.
    pub max_answer_bytes: usize,
    /// The most bytes of an error. Longer ones are told by their status alone. Default: 64 KiB.
    pub max_error_bytes: usize,
    /// The most bytes of one event of a stream, or one message of a WebSocket. Default: 4 MiB.
    pub max_event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(60),
            work_timeout: Duration::from_secs(15 * 60),
            idle_timeout: Duration::from_secs(60),
            max_answer_bytes: 128 << 20,
            max_error_bytes: 64 << 10,
            max_event_bytes: 4 << 20,
        }
    }
}
