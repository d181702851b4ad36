//! The connection to a daemon, and what the daemon says about itself.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use sandbox_core::{Error, ErrorKind, Result};

use crate::config::DockerConfig;
use crate::error::{is_away, translate};

/// The oldest Engine API this crate speaks: Docker 20.10.
const OLDEST_API: (usize, usize) = (1, 41);

/// A daemon that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) docker: Docker,
    pub(crate) host: String,
    pub(crate) facts: Facts,
}

/// What a daemon is; it does not change while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Engine and API version, for a person.
    pub(crate) version: String,
    /// Low-level runtimes by name.
    pub(crate) runtimes: Vec<String>,
    /// Storage driver, and the file system below it where that is known.
    pub(crate) storage: String,
    pub(crate) backing: String,
    /// As `uname -m` writes it.
    pub(crate) architecture: String,
    pub(crate) linux: bool,
    pub(crate) cpus: u32,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Whether memory, CPU and process limits bite.
    pub(crate) limits: EnforcedLimits,
}

/// The limits a daemon's cgroups enforce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EnforcedLimits {
    pub(crate) cpu: bool,
    pub(crate) memory: bool,
    pub(crate) pids: bool,
}

/// Connects to the daemon and agrees on an API version.
///
/// # Errors
/// `Unavailable` with what to do about it; `Unsupported` for a daemon that is too old.
pub(crate) async fn connect(config: &DockerConfig) -> Result<Daemon> {
    let host = config.resolved_host();
    let docker = open(&host, config.request_timeout)?;
    let docker = docker
        .negotiate_version()
        .await
        .map_err(|e| absent(&host, e))?;
    let api = docker.client_version();
    if (api.major_version, api.minor_version) < OLDEST_API {
        let message = format!(
            "the Docker daemon at {host} speaks API {api}; Docker 20.10 (API 1.41) or later is needed"
        );
        return Err(Error::unsupported("docker.connect", "host", message));
    }
    let info = docker.info().await.map_err(|e| absent(&host, e))?;
    let facts = facts(info, &format!("API {api}"));
    if !facts.linux {
        let message = format!("the Docker daemon at {host} does not run Linux containers");
        return Err(Error::unsupported("docker.connect", "host", message));
    }
    Ok(Daemon {
        docker,
        host,
        facts,
    })
}

pub(crate) fn open(host: &str, timeout: Duration) -> Result<Docker> {
    let seconds = timeout.as_secs().max(1);
    let opened = match host.split_once("://") {
        Some(("unix", _)) => Docker::connect_with_unix(host, seconds, API_DEFAULT_VERSION),
        Some(("tcp" | "http", _)) => Docker::connect_with_http(host, seconds, API_DEFAULT_VERSION),
        _ => {
            let message = format!("{host:?} is not unix:///path or tcp://host:port");
            return Err(Error::invalid("docker.connect", "host", message));
        }
    };
    opened.map_err(|e| absent(host, e))
}

/// No daemon: one line that says what to do.
fn absent(host: &str, error: bollard::errors::Error) -> Error {
    if !is_away(&error) {
        return translate("docker.connect", error);
    }
    let message = if is_denied(&error) {
        format!("may not use the Docker daemon at {host}: add this user to the docker group")
    } else {
        format!("no Docker daemon answers at {host}: start one, or set DOCKER_HOST to where it is")
    };
    Error::new(ErrorKind::Unavailable, "docker.connect", message).with_source(error)
}

fn is_denied(error: &bollard::errors::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::PermissionDenied
        {
            return true;
        }
        cause = error.source();
    }
    false
}

fn facts(info: bollard::models::SystemInfo, api: &str) -> Facts {
    let status = info.driver_status.unwrap_or_default();
    let backing = status
        .iter()
        .find(|pair| pair.first().is_some_and(|key| key == "Backing Filesystem"))
        .and_then(|pair| pair.get(1).cloned())
        .unwrap_or_default();
    let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
    // Shim names such as `io.containerd.runc.v2` are not what people call a runtime class.
    runtimes.retain(|name| !name.contains('.'));
    runtimes.sort();
    let swap_counts = info.swap_limit.unwrap_or(false);
    Facts {
        version: format!(
            "Docker {} ({api})",
            info.server_version.unwrap_or_else(|| "unknown".into())
        ),
        runtimes,
        storage: info.driver.unwrap_or_default(),
        backing,
        architecture: info.architecture.unwrap_or_default(),
        linux: info.os_type.as_deref() == Some("linux"),
        cpus: info.ncpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        memory: info
            .mem_total
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        limits: EnforcedLimits {
            cpu: info.cpu_cfs_quota.unwrap_or(false),
            memory: info.memory_limit.unwrap_or(false) && swap_counts,
            pids: info.pids_limit.unwrap_or(false),
        },
    }
}

impl Daemon {
    /// Whether the daemon runs on this machine, so that this machine's addresses are its host's.
    pub(crate) fn is_local(&self) -> bool {
        self.host.starts_with("unix://")
            || self.host.contains("://127.")
            || self.host.contains("://localhost")
            || self.host.contains("://[::1]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_daemon_is_unavailable_with_what_to_do() {
        for host in ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1"] {
            let config = DockerConfig {
                host: Some(host.into()),
                ..DockerConfig::default()
            };
            let error = connect(&config).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.message().contains(host), "{error}");
            assert!(error.message().contains("DOCKER_HOST"), "{error}");
            assert!(!error.message().contains('\n'), "{error}");
        }
    }

    #[tokio::test]
    async fn a_host_of_another_scheme_is_refused_by_field() {
        let config = DockerConfig {
            host: Some("ssh://somewhere".into()),
            ..DockerConfig::default()
        };
        let error = connect(&config).await.unwrap_err();
        assert_eq!(error.field(), Some("host"));
    }
}
