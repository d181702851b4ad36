//! What a pod uses, as the daemon's cgroups say.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;
use sandbox_core::{Result, Stats};

use crate::error::{docker, nonsense};

/// The sandbox's own use, with the traffic of the holder that has its network.
pub(crate) async fn of(client: &Docker, container: &str, holder: Option<&str>) -> Result<Stats> {
    let (sandbox, holder) = tokio::join!(one(client, container), async {
        match holder {
            Some(holder) => one(client, holder).await.ok(),
            None => None,
        }
    });
    let mut stats = translate(&sandbox?);
    let networks = holder
        .and_then(|holder| holder.networks)
        .unwrap_or_default();
    for network in networks.values() {
        stats.network_received += network.rx_bytes.unwrap_or(0);
        stats.network_sent += network.tx_bytes.unwrap_or(0);
    }
    Ok(stats)
}

async fn one(client: &Docker, container: &str) -> Result<ContainerStatsResponse> {
    let options = StatsOptionsBuilder::new()
        .stream(false)
        .one_shot(true)
        .build();
    let mut answers = Box::pin(client.stats(container, Some(options)));
    match answers.next().await {
        Some(answer) => answer.map_err(docker("docker.stats")),
        None => Err(nonsense("docker.stats", "there is no answer")),
    }
}

fn translate(found: &ContainerStatsResponse) -> Stats {
    let mut stats = Stats::default();
    let cpu = found
        .cpu_stats
        .as_ref()
        .and_then(|cpu| cpu.cpu_usage.as_ref());
    let nanoseconds = cpu.and_then(|usage| usage.total_usage).unwrap_or(0);
    stats.cpu_time = Duration::from_nanos(nanoseconds);
    if let Some(memory) = &found.memory_stats {
        let (used, cache) = memory_and_cache(memory);
        stats.memory = used;
        stats.memory_cache = cache;
        stats.memory_limit = memory.limit.unwrap_or(0);
    }
    let pids = found.pids_stats.as_ref().and_then(|pids| pids.current);
    stats.pids = pids.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    stats
}

/// Memory without what can be given back, and the page cache. The two kinds of cgroup name them
/// differently.
fn memory_and_cache(memory: &ContainerMemoryStats) -> (u64, u64) {
    let detail = |names: [&str; 2]| {
        let stats = memory.stats.as_ref()?;
        names.iter().find_map(|name| stats.get(*name).copied())
    };
    let usage = memory.usage.unwrap_or(0);
    let inactive = detail(["total_inactive_file", "inactive_file"]).unwrap_or(0);
    let cache = detail(["total_cache", "file"]).unwrap_or(0);
    (usage.saturating_sub(inactive), cache)
}
