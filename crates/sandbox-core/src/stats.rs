//! What a sandbox uses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a sandbox uses now, and has used.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// CPU time of all its processes so far.
    pub cpu_time: Duration,
    /// Memory in use in bytes, without the page cache that can be given back.
    pub memory: u64,
    /// The memory limit in bytes; zero when there is none.
    pub memory_limit: u64,
    /// Page cache in bytes.
    pub memory_cache: u64,
    /// Processes and threads now.
    pub pids: u32,
    /// Disk bytes used, where the runtime can tell.
    pub disk: Option<u64>,
    /// Disk bytes there are, where the runtime can tell.
    pub disk_limit: Option<u64>,
    /// Bytes received from outside the sandbox so far.
    pub network_received: u64,
    /// Bytes sent out of the sandbox so far.
    pub network_sent: u64,
}
