//! What a runtime on this daemon can do.

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use sandbox_core::{Capabilities, EgressCapabilities, LimitCapabilities, Result};

use crate::config::DockerConfig;
use crate::daemon::Daemon;
use crate::labels::{self, Role};
use crate::placement::{PROBE_PREFIX, Placed};
use crate::random;
use crate::remove;
use crate::shared::{Networking, Reach};

/// Storage drivers that may be able to limit a container's disk. Whether this one does is tried.
const QUOTA_DRIVERS: [(&str, &str); 4] = [
    ("btrfs", ""),
    ("zfs", ""),
    ("devicemapper", ""),
    ("overlay2", "xfs"),
];

pub(crate) async fn of(
    daemon: &Daemon,
    config: &DockerConfig,
    placed: &Placed,
) -> Result<Capabilities> {
    let agent = matches!(placed.reach, Reach::Agent { .. });
    let filtered = matches!(placed.networking, Networking::Holder { .. });
    let facts = &daemon.facts;
    let mut limits = LimitCapabilities::default();
    limits.cpu = facts.limits.cpu;
    limits.memory = facts.limits.memory;
    limits.pids = facts.limits.pids;
    limits.open_files = true;
    limits.disk = limits_disk(daemon, config, placed).await;
    limits.max_milli_cpus = facts.cpus.checked_mul(1000).filter(|max| *max > 0);
    limits.max_memory = Some(facts.memory).filter(|max| *max > 0);
    let mut egress = EgressCapabilities::default();
    egress.allow_all = filtered;
    egress.cidrs = filtered;
    egress.ports = filtered;
    egress.domains = filtered;
    egress.live_update = filtered;
    let mut able = Capabilities::default();
    able.pause = true;
    able.stdin = true;
    able.users = true;
    able.snapshot = true;
    able.native_binaries = true;
    able.recover = true;
    able.pty = agent;
    able.timeout = agent;
    able.signals = agent;
    able.processes = agent;
    able.attach = agent;
    able.watch = agent;
    able.connect = agent;
    able.runtime_classes = facts.runtimes.clone();
    able.limits = limits;
    able.egress = egress;
    Ok(able)
}

/// Asks the daemon for a container with a disk limit: it refuses one where its file system has no
/// quota, and says nothing about that beforehand.
async fn limits_disk(daemon: &Daemon, config: &DockerConfig, placed: &Placed) -> bool {
    let facts = &daemon.facts;
    let may = QUOTA_DRIVERS.iter().any(|(driver, backing)| {
        *driver == facts.storage && (backing.is_empty() || *backing == facts.backing)
    });
    let Some(image) = placed.own_image.as_ref().filter(|_| may) else {
        return false;
    };
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        entrypoint: Some(vec!["/none".to_owned()]),
        labels: Some(labels::base(&config.namespace, Role::Probe)),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            storage_opt: Some([("size".to_owned(), (1u64 << 30).to_string())].into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let Ok(token) = random::token() else {
        return false;
    };
    let name = format!("{PROBE_PREFIX}{token}");
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    match daemon.docker.create_container(Some(options), body).await {
        Ok(made) => {
            if let Err(error) = remove::container(&daemon.docker, &made.id).await {
                tracing::warn!(%error, "a probe's container stays behind");
            }
            true
        }
        Err(error) => {
            tracing::debug!(%error, "no disk limits here");
            false
        }
    }
}
