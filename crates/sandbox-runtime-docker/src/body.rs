//! The containers of a pod as the daemon is asked for them. Everything that keeps a sandbox in
//! its place and is not its network stands here.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, ResourcesUlimits,
};
use sandbox_core::{Resources, SandboxId, SandboxSpec};

use crate::config::DockerConfig;

/// Where our programs are inside containers.
pub(crate) const AGENT_DIRECTORY: &str = "/.sandbox";
/// The program's file name.
pub(crate) const PROGRAM: &str = "sandbox-agent";
/// What root keeps inside a sandbox: enough to install software and change owners, nothing that
/// reaches out of it.
const CAPABILITIES: [&str; 8] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETUID",
    "SETGID",
    "NET_BIND_SERVICE",
];
/// Memory of a holder in bytes: a resolver's cache and some stacks.
const HOLDER_MEMORY: i64 = 48 << 20;
/// Processes and threads of a holder.
const HOLDER_PIDS: i64 = 64;

/// Where the network of a sandbox comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Network<'a> {
    /// The container that holds it, by id.
    Holder(&'a str),
    /// There is none but loopback.
    None,
}

/// What PID 1 of a sandbox is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum First<'a> {
    /// The resident agent, from this volume.
    Agent { volume: &'a str },
    /// The image's shell, doing nothing but reaping.
    Sleeper,
}

/// A shell that waits for ever: reaps what is left to it and ends when asked.
const SLEEPER: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

/// The container that owns a pod's network.
pub(crate) fn holder(
    image: &str,
    network: &str,
    hostname: &str,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let host = HostConfig {
        network_mode: Some(network.to_owned()),
        // The pod's own resolver; the sandbox shares this container's resolv.conf.
        dns: Some(vec!["127.0.0.1".to_owned()]),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(vec!["NET_ADMIN".to_owned(), "NET_BIND_SERVICE".to_owned()]),
        readonly_rootfs: Some(true),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        memory: Some(HOLDER_MEMORY),
        memory_swap: Some(HOLDER_MEMORY),
        pids_limit: Some(HOLDER_PIDS),
        ..common()
    };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        hostname: Some(hostname.to_owned()),
        entrypoint: Some(vec![format!("/{PROGRAM}"), "holder".to_owned()]),
        host_config: Some(host),
        ..attached(labels)
    }
}

/// The container that runs a sandbox's commands; `mounts` are the image's own.
pub(crate) fn sandbox(
    config: &DockerConfig,
    spec: &SandboxSpec,
    image: &str,
    network: Network<'_>,
    first: First<'_>,
    mut mounts: Vec<Mount>,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let limits = spec.resources();
    let mut host = HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).into()),
        security_opt: config
            .no_new_privileges
            .then(|| vec!["no-new-privileges".to_owned()]),
        runtime: spec
            .runtime_class()
            .map(str::to_owned)
            .or_else(|| config.runtime_class.clone()),
        ulimits: Some(ulimits(limits)),
        // The agent's own processes count: what was asked for is what there can be.
        pids_limit: Some(i64::from(limits.pids)),
        memory: Some(signed(limits.memory)),
        memory_swap: Some(signed(limits.memory)),
        nano_cpus: Some(i64::from(limits.milli_cpus) * 1_000_000),
        storage_opt: limits
            .disk
            .map(|disk| HashMap::from([("size".to_owned(), disk.to_string())])),
        shm_size: Some(signed(config.shm_size.min(limits.memory / 2))),
        ipc_mode: Some("private".to_owned()),
        ..common()
    };
    let mut body = attached(labels);
    match network {
        // The host name is the holder's: the two share it.
        Network::Holder(holder) => host.network_mode = Some(format!("container:{holder}")),
        Network::None => {
            host.network_mode = Some("none".to_owned());
            body.hostname = Some(hostname(spec));
        }
    }
    body.entrypoint = Some(match first {
        First::Agent { volume } => {
            mounts.push(agent_mount(volume));
            vec![format!("{AGENT_DIRECTORY}/{PROGRAM}"), "agent".to_owned()]
        }
        First::Sleeper => ["/bin/sh", "-c", SLEEPER].map(str::to_owned).into(),
    });
    host.mounts = Some(mounts);
    body.image = Some(image.to_owned());
    body.user = Some("0:0".to_owned());
    // A directory that is missing is made by the daemon.
    body.working_dir = spec.workdir().map(|path| path.as_str().to_owned());
    body.healthcheck = Some(HealthConfig {
        test: Some(vec!["NONE".to_owned()]),
        ..HealthConfig::default()
    });
    body.host_config = Some(host);
    body
}

/// A container that is never started: it keeps a volume, and is where files are put into it.
pub(crate) fn keeper(
    image: &str,
    volume: &str,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let mut mount = agent_mount(volume);
    mount.read_only = Some(false);
    if let Some(options) = &mut mount.volume_options {
        options.labels = Some(labels.clone());
    }
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![format!("/{PROGRAM}")]),
        labels: Some(labels),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(vec![mount]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The host name of a sandbox: what its spec says, or its id in letters host names may have.
pub(crate) fn hostname(spec: &SandboxSpec) -> String {
    spec.hostname()
        .map_or_else(|| hostname_of(spec.id()), str::to_owned)
}

fn hostname_of(id: &SandboxId) -> String {
    let mut name = id.as_str().replace('_', "-");
    name.truncate(63);
    name.trim_end_matches('-').to_owned()
}

fn agent_mount(volume: &str) -> Mount {
    Mount {
        target: Some(AGENT_DIRECTORY.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(true),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

/// What both containers of a pod have.
fn common() -> HostConfig {
    HostConfig {
        privileged: Some(false),
        // Output is read as it comes; a log on the daemon would be a second, unbounded copy.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        ..HostConfig::default()
    }
}

/// A container whose standard streams are a line of communication that clients may leave and
/// take up again.
fn attached(labels: HashMap<String, String>) -> ContainerCreateBody {
    ContainerCreateBody {
        open_stdin: Some(true),
        stdin_once: Some(false),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    }
}

fn ulimits(limits: &Resources) -> Vec<ResourcesUlimits> {
    let files = i64::from(limits.open_files);
    let limit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    vec![limit("nofile", files), limit("core", 0)]
}

/// A size as the daemon takes it; specs are checked to be far below the limit.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::Source;

    fn spec() -> SandboxSpec {
        let id = SandboxId::new("a_b").unwrap();
        SandboxSpec::builder(id, Source::Image("x".into()))
            .build()
            .unwrap()
    }

    #[test]
    fn a_sandbox_gets_nothing_of_the_host() {
        let config = DockerConfig::default();
        let first = First::Agent { volume: "v" };
        let (none, labels) = (Vec::new(), HashMap::new());
        let body = sandbox(&config, &spec(), "i", Network::None, first, none, labels);
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        let added = host.cap_add.unwrap();
        for dangerous in ["SYS_ADMIN", "NET_RAW", "NET_ADMIN", "SYS_PTRACE", "MKNOD"] {
            assert!(!added.iter().any(|known| known == dangerous), "{dangerous}");
        }
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!(host.privileged, Some(false));
        assert_eq!(host.binds, None);
        assert_eq!((host.pid_mode, host.devices), (None, None));
        assert_eq!(host.memory, host.memory_swap);
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].typ, Some(MountType::VOLUME));
        assert_eq!(mounts[0].read_only, Some(true));
        assert_eq!(body.hostname.as_deref(), Some("a-b"));
    }

    #[test]
    fn a_holder_can_change_its_network_and_nothing_else() {
        let body = holder("i", "n", "h", HashMap::new());
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_add.unwrap(), ["NET_ADMIN", "NET_BIND_SERVICE"]);
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(host.network_mode.as_deref(), Some("n"));
        assert_eq!(host.mounts, None);
    }
}
