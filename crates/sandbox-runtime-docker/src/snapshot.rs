//! Snapshots: images made from sandboxes.

use std::collections::HashMap;

use bollard::models::ContainerConfig;
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, InspectContainerOptions, RemoveImageOptions,
};
use sandbox_core::{Error, ErrorKind, Result, SandboxId, SnapshotId};

use crate::error::{docker, has_status};
use crate::images::snapshot_name;
use crate::labels::{self, Role};
use crate::random;
use crate::shared::Shared;

/// Keeps the file system of `container` as an image. The daemon freezes it meanwhile.
pub(crate) async fn take(shared: &Shared, id: &SandboxId, container: &str) -> Result<SnapshotId> {
    let snapshot = SnapshotId::from_random(random::bytes()?);
    let repository = labels::snapshot_repository(&shared.config.namespace);
    let client = &shared.daemon.docker;
    let inspected = client
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(docker("docker.snapshot"))?;
    let kept = inspected
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    let mut labels = labels::base(&shared.config.namespace, Role::Snapshot);
    let mut label = |name: &str, value: String| labels.insert(name.to_owned(), value);
    label(labels::ID, id.to_string());
    // The daemon adds the container's own labels where these say nothing: the spec may hold
    // secrets of its owner, and does not go with the files.
    for name in [
        labels::SPEC,
        labels::ATTEMPT,
        labels::CHANNEL,
        labels::NETWORK,
    ] {
        label(name, String::new());
    }
    label(
        labels::DEFAULTS,
        kept.get(labels::DEFAULTS).cloned().unwrap_or_default(),
    );
    let options = CommitContainerOptionsBuilder::new()
        .container(container)
        .repo(&repository)
        .tag(snapshot.as_str())
        .pause(true)
        .build();
    let config = ContainerConfig {
        labels: Some(labels.into_iter().collect::<HashMap<_, _>>()),
        ..ContainerConfig::default()
    };
    client
        .commit_container(options, config)
        .await
        .map_err(docker("docker.snapshot"))?;
    Ok(snapshot)
}

/// Removes a snapshot; sandboxes made from it keep their layers.
pub(crate) async fn remove(shared: &Shared, snapshot: &SnapshotId) -> Result<()> {
    let missing = || {
        let message = format!("there is no snapshot {snapshot}");
        Error::new(ErrorKind::NotFound, "docker.snapshot", message).with_field("snapshot")
    };
    let name = snapshot_name(&shared.config.namespace, snapshot).ok_or_else(missing)?;
    let client = &shared.daemon.docker;
    let options = RemoveImageOptions {
        // Untags it even while a sandbox made from it runs.
        force: true,
        ..RemoveImageOptions::default()
    };
    match client.remove_image(&name, Some(options), None).await {
        Ok(_) => Ok(()),
        Err(error) if has_status(&error, 404) => Err(missing()),
        Err(error) => Err(docker("docker.snapshot")(error)),
    }
}
