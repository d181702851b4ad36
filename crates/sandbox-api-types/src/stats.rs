//! What a sandbox uses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::millis;

/// What a sandbox uses now, and has used.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stats {
    /// CPU time of all its processes so far, in milliseconds.
    pub cpu_time_ms: u64,
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

impl From<sandbox_core::Stats> for Stats {
    fn from(stats: sandbox_core::Stats) -> Self {
        Self {
            cpu_time_ms: millis(stats.cpu_time),
            memory: stats.memory,
            memory_limit: stats.memory_limit,
            memory_cache: stats.memory_cache,
            pids: stats.pids,
            disk: stats.disk,
            disk_limit: stats.disk_limit,
            network_received: stats.network_received,
            network_sent: stats.network_sent,
        }
    }
}

impl From<Stats> for sandbox_core::Stats {
    fn from(stats: Stats) -> Self {
        let mut core = Self::default();
        core.cpu_time = Duration::from_millis(stats.cpu_time_ms);
        core.memory = stats.memory;
        core.memory_limit = stats.memory_limit;
        core.memory_cache = stats.memory_cache;
        core.pids = stats.pids;
        core.disk = stats.disk;
        core.disk_limit = stats.disk_limit;
        core.network_received = stats.network_received;
        core.network_sent = stats.network_sent;
        core
    }
}
