//! What an engine can be told about itself.

use std::time::Duration;

use sandbox_core::lifecycle::ActionKind;

/// Limits and times of an engine. The defaults suit a server on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineConfig {
    /// How long making a sandbox may take, an image that must be pulled first included.
    /// Default: 10 minutes.
    pub create_timeout: Duration,
    /// How long pausing, resuming and replacing an egress policy may take each. Default: 60 s.
    pub action_timeout: Duration,
    /// How long one try to destroy may take. Default: 2 minutes.
    pub destroy_timeout: Duration,
    /// How long taking a snapshot may take. Default: 10 minutes.
    pub snapshot_timeout: Duration,
    /// How long a runtime may take to say what it has. Default: 60 s.
    pub recover_timeout: Duration,
    /// How long [`shutdown`](crate::Engine::shutdown) waits for what is on its way.
    /// Default: 10 s.
    pub shutdown_grace: Duration,
    /// How exact the last use of a sandbox is kept over a crash: it may be read back earlier by
    /// at most this. Default: 5 s.
    pub activity_precision: Duration,
    /// How long destroyed sandboxes can still be asked for. Default: 24 hours.
    pub destroyed_retention: Duration,
    /// The most destroyed sandboxes that are kept. Default: 10,000.
    pub max_destroyed: u64,
    /// The most failed sandboxes of one owner that hold nothing any more and can still be asked
    /// for; of more, those asked for first are destroyed. Default: 100.
    pub max_failed: usize,
    /// The most snapshots of one owner. Default: 1,000.
    pub max_snapshots: usize,
    /// The most events that are kept. Of more, the oldest go of those owners that have more than
    /// an equal share, so that one who makes many pushes out nobody else's. Default: 100,000.
    pub max_events: u64,
    /// How much output of a process is kept, in bytes. Default: 1 MiB.
    pub process_output: usize,
    /// The most processes of one sandbox that the engine watches at once. Default: 128.
    pub max_processes: usize,
    /// How long processes that ended can still be asked for, at least: what is older goes, from the
    /// store too, when the sandbox's next process starts. Default: 1 hour.
    pub process_retention: Duration,
    /// The most processes of one sandbox that ended and are kept. Default: 32.
    pub max_ended_processes: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            create_timeout: Duration::from_secs(600),
            action_timeout: Duration::from_secs(60),
            destroy_timeout: Duration::from_secs(120),
            snapshot_timeout: Duration::from_secs(600),
            recover_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(10),
            activity_precision: Duration::from_secs(5),
            destroyed_retention: Duration::from_secs(24 * 60 * 60),
            max_destroyed: 10_000,
            max_failed: 100,
            max_snapshots: 1_000,
            max_events: 100_000,
            process_output: 1 << 20,
            max_processes: 128,
            process_retention: Duration::from_secs(60 * 60),
            max_ended_processes: 32,
        }
    }
}

impl EngineConfig {
    pub(crate) fn timeout_of(&self, action: ActionKind) -> Duration {
        match action {
            ActionKind::Create => self.create_timeout,
            ActionKind::Pause | ActionKind::Resume => self.action_timeout,
            ActionKind::Destroy => self.destroy_timeout,
        }
    }
}
