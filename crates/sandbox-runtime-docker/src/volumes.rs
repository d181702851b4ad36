//! The volumes that images ask for: few, in their own place, and ours to remove.
//!
//! The daemon mounts a volume at every path that an image names, and a path may lead anywhere
//! through the image's own links: over the agent, so that something else answers in its place, or
//! over what the daemon mounts. So every path is followed, in the made container and before
//! anything runs in it, and one that ends where only we mount is refused.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerInspectResponse, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    InspectContainerOptions, ListVolumesOptionsBuilder, RemoveVolumeOptions,
};
use sandbox_core::{Error, Result, SandboxId, SandboxSpec, Source};

use crate::body::AGENT_DIRECTORY;
use crate::daemon::Daemon;
use crate::error::{docker, has_status, nonsense};
use crate::labels::{self, Role};
use crate::shared::{Reach, Shared};
use links::Links;

mod links;

/// The most volumes an image may ask for: each is a directory and a mount on the daemon's machine.
const MAX_VOLUMES: usize = 16;
/// The most names in a volume's path, links followed: each is a question to the daemon.
const MAX_DEPTH: usize = 16;
/// Directories that nothing of an image may be mounted on or in.
const RESERVED: [&str; 4] = [AGENT_DIRECTORY, "/dev", "/proc", "/sys"];
/// Files that the daemon mounts.
const MOUNTED_FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// The paths of the volumes that an image's configuration names, checked as far as the words go.
///
/// # Errors
/// `Unsupported`, naming the source or, where `spec` limits the disk, `resources.disk`: what is in
/// a volume does not count as the container's disk.
pub(crate) fn paths(spec: &SandboxSpec, declared: &[String]) -> Result<Vec<String>> {
    if declared.len() > MAX_VOLUMES {
        let message = format!(
            "the image asks for {} volumes; at most {MAX_VOLUMES} are given",
            declared.len()
        );
        return Err(refused(spec, message));
    }
    if let Some(path) = declared.first().filter(|_| spec.resources().disk.is_some()) {
        let message = format!("the image asks for a volume at {path:?}, which has no limit");
        return Err(Error::unsupported(
            "docker.create",
            "resources.disk",
            message,
        ));
    }
    let mut paths = BTreeSet::new();
    for path in declared {
        let names = names(path).ok_or_else(|| {
            let message = format!(
                "the image asks for a volume at {path:?}, which is not an absolute path of 1 to \
                 {MAX_DEPTH} names"
            );
            refused(spec, message)
        })?;
        let path = joined(&names);
        if is_ours(&path) {
            return Err(covers(spec, &path, &path));
        }
        paths.insert(path);
    }
    Ok(paths.into_iter().collect())
}

/// Mounts that stand in for the image's own: the same volumes, with labels to find them by.
pub(crate) fn mounts(namespace: &str, id: &SandboxId, paths: &[String]) -> Vec<Mount> {
    let mut labels = labels::base(namespace, Role::Volume);
    labels.insert(labels::ID.to_owned(), id.to_string());
    let mount = |path: &String| Mount {
        target: Some(path.clone()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            labels: Some(labels.clone()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    paths.iter().map(mount).collect()
}

/// Makes sure that `container`, made from `image` and not started yet, has the volumes `paths` and
/// what is needed to reach it, each where its path says, and nothing else.
pub(crate) async fn check(
    shared: &Shared,
    spec: &SandboxSpec,
    container: &str,
    image: &str,
    paths: &[String],
    reach: &Reach,
) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let client = &shared.daemon.docker;
    let inspected = client
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(docker("docker.create"))?;
    if mounted(inspected) != expected(paths, reach) {
        return Err(nonsense(
            "docker.create",
            "the daemon mounts other volumes than it was asked for",
        ));
    }
    // What is in an image never changes.
    if shared.knows_volumes_of(image) {
        return Ok(());
    }
    let mut links = Links::new(&shared.daemon, spec, container);
    for path in paths {
        let place = links.follow(path).await?;
        if !may_be_at(path, &place) {
            return Err(covers(spec, path, &place));
        }
    }
    if links.target(AGENT_DIRECTORY).await?.is_some() {
        let message = format!("the image has a link at {AGENT_DIRECTORY:?}");
        return Err(refused(spec, message));
    }
    shared.know_volumes_of(image);
    Ok(())
}

/// Removes the volumes that sandboxes of the namespace left behind: those whose container somebody
/// removed without them.
pub(crate) async fn sweep(shared: &Shared) -> Result<()> {
    let client = &shared.daemon.docker;
    let mut filters = labels::filter(&shared.config.namespace);
    let role = format!("{}={}", labels::ROLE, Role::Volume.as_str());
    filters.entry("label".to_owned()).or_default().push(role);
    filters.insert("dangling".to_owned(), vec!["true".to_owned()]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let listed = client.list_volumes(Some(options)).await;
    let listed = listed.map_err(docker("docker.volumes"))?;
    let mut failed = None;
    for volume in listed.volumes.unwrap_or_default() {
        if let Err(error) = remove(&shared.daemon, &volume.name).await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Removes a volume that no container uses. One that is not there is removed.
pub(crate) async fn remove(daemon: &Daemon, volume: &str) -> Result<()> {
    let removed = daemon
        .docker
        .remove_volume(volume, None::<RemoveVolumeOptions>)
        .await;
    match removed {
        Err(error) if !has_status(&error, 404) => Err(docker("docker.volumes")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The names of an absolute path; `None` for one that goes up, is the root or is too long.
fn names(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/')?;
    let names: Vec<&str> = rest
        .split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .collect();
    let whole = (1..=MAX_DEPTH).contains(&names.len())
        && path.len() <= 4096
        && !path.contains('\0')
        && !names.contains(&"..");
    whole.then_some(names)
}

fn joined(names: &[&str]) -> String {
    names.iter().map(|name| format!("/{name}")).collect()
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a volume at `place` would cover, or be in, what only we and the daemon mount.
fn is_ours(place: &str) -> bool {
    let reserved = |ours: &&str| place == *ours || is_below(place, ours);
    place.is_empty() || RESERVED.iter().chain(&MOUNTED_FILES).any(reserved)
}

/// Whether a volume that is asked for at `path` may be mounted at `place`. The daemon mounts in the
/// order of the paths' lengths: what is called by another name than its own comes in the wrong
/// order, and may not hold what is mounted below it.
fn may_be_at(path: &str, place: &str) -> bool {
    let holds = |mounted: &&str| is_below(mounted, place);
    !is_ours(place) && (path == place || !RESERVED.iter().chain(&MOUNTED_FILES).any(holds))
}

/// What a container mounts: the volume's name where it is ours to say, by where.
fn mounted(container: ContainerInspectResponse) -> BTreeMap<String, Option<String>> {
    let mounts = container.mounts.unwrap_or_default().into_iter();
    mounts
        .filter_map(|mount| {
            let place = mount.destination?;
            let is_agent = place == AGENT_DIRECTORY && mount.rw == Some(false);
            Some((place, mount.name.filter(|_| is_agent)))
        })
        .collect()
}

fn expected(paths: &[String], reach: &Reach) -> BTreeMap<String, Option<String>> {
    let mut expected: BTreeMap<_, _> = paths.iter().map(|path| (path.clone(), None)).collect();
    if let Reach::Agent { volume } = reach {
        expected.insert(AGENT_DIRECTORY.to_owned(), Some(volume.clone()));
    }
    expected
}

fn covers(spec: &SandboxSpec, path: &str, place: &str) -> Error {
    let place = if place.is_empty() { "/" } else { place };
    let message = if path == place {
        format!("the image asks for a volume at {path:?}, which is not its own")
    } else {
        format!("the image's volume at {path:?} leads to {place:?}, which is not its own")
    };
    refused(spec, message)
}

fn refused(spec: &SandboxSpec, message: String) -> Error {
    Error::unsupported("docker.create", source_field(spec), message)
}

/// The field of `spec` that says what a sandbox is made from.
pub(crate) fn source_field(spec: &SandboxSpec) -> &'static str {
    match spec.source() {
        Source::Image(_) => "image",
        Source::Snapshot(_) => "source.snapshot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::Resources;

    fn spec(disk: Option<u64>) -> SandboxSpec {
        let id = SandboxId::new("a").unwrap();
        let resources = Resources {
            disk,
            ..Resources::default()
        };
        SandboxSpec::builder(id, Source::Image("x".into()))
            .resources(resources)
            .build()
            .unwrap()
    }

    fn refusal(disk: Option<u64>, declared: &[&str]) -> Option<String> {
        let declared: Vec<String> = declared.iter().map(|path| (*path).to_owned()).collect();
        let error = paths(&spec(disk), &declared).err()?;
        assert_eq!(error.kind(), sandbox_core::ErrorKind::Unsupported);
        error.field().map(str::to_owned)
    }

    #[test]
    fn volumes_are_refused_where_the_disk_is_limited_and_counted_where_it_is_not() {
        let many: Vec<String> = (0..=MAX_VOLUMES).map(|n| format!("/v{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(refusal(None, &many[1..]), None);
        assert_eq!(refusal(None, &many).as_deref(), Some("image"));
        let limited = refusal(Some(1 << 30), &["/data"]);
        assert_eq!(limited.as_deref(), Some("resources.disk"));
        assert_eq!(refusal(Some(1 << 30), &[]), None);
    }

    #[test]
    fn paths_that_say_themselves_where_they_lead_are_refused() {
        let deep = "/a".repeat(MAX_DEPTH + 1);
        for path in [
            "",
            "/",
            "data",
            "/a/../.sandbox",
            "/./.sandbox/",
            "/.sandbox/x",
            "/proc/self",
            "/dev/shm",
            "/etc/hosts",
            &deep,
        ] {
            assert_eq!(refusal(None, &[path]).as_deref(), Some("image"), "{path}");
        }
        let found = paths(
            &spec(None),
            &["/b/./c/".into(), "/b/c".into(), "/etc".into()],
        );
        assert_eq!(found.unwrap(), ["/b/c", "/etc"]);
    }

    #[test]
    fn a_path_by_another_name_may_not_hold_what_is_mounted() {
        assert!(may_be_at("/etc", "/etc"));
        assert!(!may_be_at("/a/b/c", "/etc"));
        assert!(may_be_at("/var/run/x", "/run/x"));
        assert!(!may_be_at("/x", ""));
        assert!(!may_be_at("/x", "/.sandbox"));
        assert!(may_be_at("/x", "/.sandboxes"));
    }
}
