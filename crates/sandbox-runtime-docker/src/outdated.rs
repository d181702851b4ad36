//! What other versions of the program left on a daemon: agents that nobody uses any more.
//!
//! Servers of several versions may share a daemon, so what is in use stays, by the daemon's own
//! count; and what is young stays, as it may be about to be used. A server whose agent was taken
//! away in spite of that brings it again when it makes its next sandbox.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveImageOptions,
};
use sandbox_core::Result;

use crate::body::PROGRAM;
use crate::config::DockerConfig;
use crate::daemon::Daemon;
use crate::error::{docker, has_status};
use crate::labels::{self, Role};
use crate::placement::{self, KEEPER_PREFIX};
use crate::program;
use crate::remove;
use crate::volumes;

/// How old a delivery must be to count as broken off.
const DELIVERY: Duration = Duration::from_secs(120);

/// Removes the agents of other versions that no container uses, and the images that their holders
/// were made from, once they are older than the configured age.
///
/// # Errors
/// The first that occurred; the rest is removed nevertheless.
pub(crate) async fn collect(daemon: &Daemon, config: &DockerConfig) -> Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let old = |created: i64, age: Duration| {
        let created = u64::try_from(created).map(Duration::from_secs);
        created.is_ok_and(|created| now.saturating_sub(created) > age)
    };
    let age = config.orphan_age;
    let keepers = keepers(daemon, |created, unfinished| {
        old(created, if unfinished { age.max(DELIVERY) } else { age })
    })
    .await;
    let volumes = abandoned(daemon).await;
    let images = images(daemon, config, |created| old(created, age)).await;
    keepers.and(volumes).and(images)
}

/// `old` says whether a keeper of an age is, and the container of a delivery that is not finished.
async fn keepers(daemon: &Daemon, old: impl Fn(i64, bool) -> bool) -> Result<()> {
    let role = format!("{}={}", labels::ROLE, Role::Agent.as_str());
    let mut failed = None;
    for keeper in containers(daemon, "label", role).await? {
        let Some(volume) = volume_of(&keeper) else {
            continue;
        };
        let unfinished = names(&keeper).any(is_volume_name);
        if !keeper.created.is_some_and(|at| old(at, unfinished)) {
            continue;
        }
        if let Err(error) = keeper_and_volume(daemon, &keeper, volume).await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The volume is the daemon's to count: where a sandbox came to use it after this looked, it stays.
async fn keeper_and_volume(daemon: &Daemon, keeper: &ContainerSummary, volume: &str) -> Result<()> {
    let users = containers(daemon, "volume", volume.to_owned()).await?;
    if users.iter().any(|user| user.id != keeper.id) {
        return Ok(());
    }
    let Some(id) = &keeper.id else { return Ok(()) };
    tracing::info!(volume, "removing an agent of another version");
    remove::container(&daemon.docker, id).await?;
    unless_used(volumes::remove(daemon, volume).await)
}

/// Removes the volumes of agents that have no keeper and no user. One that is being filled has a
/// container from its first moment.
async fn abandoned(daemon: &Daemon) -> Result<()> {
    let filters = HashMap::from([("dangling", vec!["true"]), ("name", vec![KEEPER_PREFIX])]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let listed = daemon.docker.list_volumes(Some(options)).await;
    let listed = listed.map_err(docker("docker.volumes"))?;
    let mut failed = None;
    for volume in listed.volumes.unwrap_or_default() {
        // Those that the daemon made because they were gone have no labels.
        let ours = volume.labels.is_empty() || Role::of(&volume.labels) == Some(Role::Agent);
        if !ours || !is_volume_name(&volume.name) {
            continue;
        }
        if let Err(error) = unless_used(volumes::remove(daemon, &volume.name).await) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn images(daemon: &Daemon, config: &DockerConfig, old: impl Fn(i64) -> bool) -> Result<()> {
    let filters = HashMap::from([("reference", vec![config.holder_image.as_str()])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let listed = daemon.docker.list_images(Some(options)).await;
    let listed = listed.map_err(docker("docker.volumes"))?;
    let mut failed = None;
    let outdated = listed.into_iter().filter(|image| old(image.created));
    for name in outdated.flat_map(|image| image.repo_tags) {
        let tag = name.strip_prefix(&config.holder_image);
        let tag = tag.and_then(|rest| rest.strip_prefix(':'));
        if !tag.is_some_and(|tag| is_hexadecimal(tag, 16) && tag != program::hash()) {
            continue;
        }
        // Without force: the daemon refuses while a container is made from it.
        let options = None::<RemoveImageOptions>;
        match daemon.docker.remove_image(&name, options, None).await {
            Ok(_) => {}
            Err(error) if has_status(&error, 404) || has_status(&error, 409) => {}
            Err(error) => {
                failed.get_or_insert(docker("docker.volumes")(error));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn containers(daemon: &Daemon, filter: &str, value: String) -> Result<Vec<ContainerSummary>> {
    let filters = HashMap::from([(filter.to_owned(), vec![value])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = daemon.docker.list_containers(Some(options)).await;
    listed.map_err(docker("docker.volumes"))
}

fn unless_used(removed: Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() == sandbox_core::ErrorKind::Conflict => Ok(()),
        other => other,
    }
}

/// The volume of a container that is a keeper of another version, or one that was never finished;
/// `None` for anything else, whatever its labels say.
fn volume_of(container: &ContainerSummary) -> Option<&str> {
    let name = names(container).find(|name| is_keeper_name(name) || is_volume_name(name))?;
    if name == placement::keeper_name()
        || container.command.as_deref() != Some(&format!("/{PROGRAM}"))
    {
        return None;
    }
    let mut mounts = container.mounts.iter().flatten();
    let volume = mounts.next()?.name.as_deref()?;
    (mounts.next().is_none() && is_volume_name(volume)).then_some(volume)
}

fn names(container: &ContainerSummary) -> impl Iterator<Item = &str> {
    let names = container.names.iter().flatten();
    names.filter_map(|name| name.strip_prefix('/'))
}

fn is_keeper_name(name: &str) -> bool {
    let rest = name.strip_prefix(KEEPER_PREFIX);
    rest.is_some_and(|hash| is_hexadecimal(hash, 16))
}

fn is_volume_name(name: &str) -> bool {
    let parts = name.rsplit_once('-');
    parts.is_some_and(|(keeper, token)| is_keeper_name(keeper) && is_hexadecimal(token, 12))
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::MountPoint;

    fn keeper(name: &str) -> ContainerSummary {
        ContainerSummary {
            names: Some(vec![format!("/{name}")]),
            command: Some("/sandbox-agent".into()),
            mounts: Some(vec![MountPoint {
                name: Some("sandbox-agent-0123456789abcdef-0123456789ab".into()),
                ..MountPoint::default()
            }]),
            ..ContainerSummary::default()
        }
    }

    #[test]
    fn only_what_is_built_like_a_keeper_of_another_version_is_one() {
        let volume = Some("sandbox-agent-0123456789abcdef-0123456789ab");
        assert_eq!(volume_of(&keeper("sandbox-agent-0123456789abcdef")), volume);
        let unfinished = "sandbox-agent-0123456789abcdef-0123456789ab";
        assert_eq!(volume_of(&keeper(unfinished)), volume);
        assert_eq!(volume_of(&keeper(&placement::keeper_name())), None);
        for name in [
            "sandbox-agent-mine",
            "sandbox-agent-0123456789ABCDEF",
            "other",
        ] {
            assert_eq!(volume_of(&keeper(name)), None, "{name}");
        }
        let mut server = keeper("sandbox-agent-0123456789abcdef");
        server.command = Some("/bin/sh".into());
        assert_eq!(volume_of(&server), None);
        let mut named = keeper("sandbox-agent-0123456789abcdef");
        named.mounts.as_mut().unwrap()[0].name = Some("data".into());
        assert_eq!(volume_of(&named), None);
    }
}
