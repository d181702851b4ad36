//! Which containers are ours: labels alone prove nothing.
//!
//! A container inherits the labels of its image, and whoever writes an image, or starts a container
//! from one of our snapshots, may have it carry ours. A container is taken for one of ours when its
//! name is the one that only we give, and it is put together as only we do.

use std::collections::HashMap;

use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use sandbox_core::{Result, SandboxId};

use crate::body::{AGENT_DIRECTORY, PROGRAM};
use crate::error::docker;
use crate::labels::{self, Role};
use crate::placement::{KEEPER_PREFIX, PROBE_PREFIX};
use crate::shared::Shared;

/// What a container of ours is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Sandbox(SandboxId),
    Holder(SandboxId),
    /// Finds out what works on the daemon, and belongs to no sandbox.
    Probe,
}

/// Every container of the runtime's namespace, in any state. What only carries its labels is left
/// out, with a warning.
pub(crate) async fn list(
    shared: &Shared,
    operation: &'static str,
) -> Result<Vec<(Part, ContainerSummary)>> {
    let namespace = &shared.config.namespace;
    let filter = labels::filter(namespace);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filter)
        .build();
    let listed = shared.daemon.docker.list_containers(Some(options)).await;
    let listed = listed.map_err(docker(operation))?;
    let ours = listed.into_iter().filter_map(|container| {
        let part = part(namespace, &container);
        if part.is_none() {
            let (id, names) = (&container.id, &container.names);
            tracing::warn!(
                ?id,
                ?names,
                "a container that is not ours carries our labels"
            );
        }
        Some((part?, container))
    });
    Ok(ours.collect())
}

/// The sandbox of `namespace` that a container called `name` with `labels` belongs to, and as what.
/// Enough for what is only told: names are given by whoever may do anything on the daemon.
pub(crate) fn named(
    namespace: &str,
    name: &str,
    labels: &HashMap<String, String>,
) -> Option<(Role, SandboxId)> {
    let id = labels::id(labels)?;
    let role = Role::of(labels)?;
    let given = match role {
        Role::Sandbox => labels::sandbox_name(namespace, &id),
        Role::Holder => labels::holder_name(namespace, &id),
        Role::Snapshot | Role::Agent | Role::Probe | Role::Volume => return None,
    };
    let same = given == name
        && labels
            .get(labels::NAMESPACE)
            .is_some_and(|of| of == namespace);
    same.then_some((role, id))
}

fn part(namespace: &str, container: &ContainerSummary) -> Option<Part> {
    let labels = container.labels.as_ref()?;
    let names = container.names.iter().flatten();
    let mut names = names.filter_map(|name| name.strip_prefix('/'));
    if Role::of(labels) == Some(Role::Probe) {
        let probes = |name: &str| name.starts_with(PROBE_PREFIX);
        return names.any(probes).then_some(Part::Probe);
    }
    match names.find_map(|name| named(namespace, name, labels))? {
        (Role::Holder, id) if is_holder(container) => Some(Part::Holder(id)),
        (Role::Sandbox, id) if is_sandbox(container, labels) => Some(Part::Sandbox(id)),
        _ => None,
    }
}

fn is_holder(container: &ContainerSummary) -> bool {
    container.command.as_deref() == Some(&format!("/{PROGRAM} holder"))
}

/// A sandbox has no network but its holder's, and the agent where it is reached by it.
fn is_sandbox(container: &ContainerSummary, labels: &HashMap<String, String>) -> bool {
    let network = match labels.get(labels::NETWORK).map(String::as_str) {
        Some("holder") => holder_of(container).is_some(),
        Some("none") => network_mode(container) == Some("none"),
        Some(_) | None => false,
    };
    let reached = match labels.get(labels::CHANNEL).map(String::as_str) {
        Some("agent") => has_agent(container),
        Some("exec") => true,
        Some(_) | None => false,
    };
    network && reached
}

/// The container whose network this one has, as it was named when it was made: by id.
pub(crate) fn holder_of(container: &ContainerSummary) -> Option<&str> {
    network_mode(container)?.strip_prefix("container:")
}

fn network_mode(container: &ContainerSummary) -> Option<&str> {
    container.host_config.as_ref()?.network_mode.as_deref()
}

fn has_agent(container: &ContainerSummary) -> bool {
    container.mounts.iter().flatten().any(|mount| {
        mount.destination.as_deref() == Some(AGENT_DIRECTORY)
            && mount.rw == Some(false)
            && mount
                .name
                .as_deref()
                .is_some_and(|name| name.starts_with(KEEPER_PREFIX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerSummaryHostConfig, MountPoint};

    fn labelled(role: Role) -> HashMap<String, String> {
        let mut labels = labels::base("n", role);
        for (name, value) in [
            (labels::ID, "a"),
            (labels::NETWORK, "holder"),
            (labels::CHANNEL, "agent"),
        ] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        labels
    }

    fn sandbox() -> ContainerSummary {
        ContainerSummary {
            names: Some(vec!["/sandbox-n-a".into()]),
            labels: Some(labelled(Role::Sandbox)),
            host_config: Some(ContainerSummaryHostConfig {
                network_mode: Some("container:0123".into()),
                ..ContainerSummaryHostConfig::default()
            }),
            mounts: Some(vec![MountPoint {
                destination: Some(AGENT_DIRECTORY.into()),
                name: Some(format!("{KEEPER_PREFIX}0-1")),
                rw: Some(false),
                ..MountPoint::default()
            }]),
            ..ContainerSummary::default()
        }
    }

    fn holder() -> ContainerSummary {
        ContainerSummary {
            names: Some(vec!["/sandbox-n-a.holder".into()]),
            labels: Some(labelled(Role::Holder)),
            command: Some("/sandbox-agent holder".into()),
            ..ContainerSummary::default()
        }
    }

    #[test]
    fn what_we_make_is_ours() {
        let id = SandboxId::new("a").unwrap();
        assert_eq!(part("n", &sandbox()), Some(Part::Sandbox(id.clone())));
        assert_eq!(part("n", &holder()), Some(Part::Holder(id)));
        assert_eq!(part("m", &holder()), None);
    }

    #[test]
    fn what_differs_from_what_we_make_is_not() {
        let edits: [fn(&mut ContainerSummary); 7] = [
            |c| c.names = Some(vec!["/other".into()]),
            |c| c.names = Some(vec!["/sandbox-n-a.holder".into()]),
            |c| c.mounts = None,
            |c| c.mounts.as_mut().unwrap()[0].rw = Some(true),
            |c| c.mounts.as_mut().unwrap()[0].name = Some("mine".into()),
            |c| c.host_config = None,
            |c| c.labels = Some(labelled(Role::Snapshot)),
        ];
        for edit in edits {
            let mut container = sandbox();
            edit(&mut container);
            assert_eq!(part("n", &container), None, "{container:?}");
        }
        let mut shell = holder();
        shell.command = Some("/bin/sh".into());
        assert_eq!(part("n", &shell), None);
    }
}
