//! Removing everything a namespace has on a daemon.

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};
use sandbox_core::Result;

use crate::error::{docker, has_status};
use crate::labels::{self, Role};
use crate::owned::{self, Part};
use crate::remove;
use crate::shared::Shared;
use crate::volumes;

pub(crate) async fn all(shared: &Shared) -> Result<()> {
    let containers = containers(shared).await;
    let volumes = volumes::sweep(shared).await;
    let images = images(shared).await;
    containers.and(volumes).and(images)
}

async fn containers(shared: &Shared) -> Result<()> {
    let mut listed = owned::list(shared, "docker.purge").await?;
    // Sandboxes before the holders of their networks.
    listed.sort_by_key(|(part, _)| matches!(part, Part::Holder(_)));
    let ids: Vec<String> = listed
        .into_iter()
        .filter_map(|(_, container)| container.id)
        .collect();
    remove::all(&shared.daemon.docker, &ids).await
}

async fn images(shared: &Shared) -> Result<()> {
    let client = &shared.daemon.docker;
    let repository = labels::snapshot_repository(&shared.config.namespace);
    let filter = std::collections::HashMap::from([("reference", vec![repository])]);
    let options = ListImagesOptionsBuilder::new().filters(&filter).build();
    let listed = client
        .list_images(Some(options))
        .await
        .map_err(docker("docker.purge"))?;
    let mut failed = None;
    let ours = listed.into_iter().filter(|image| {
        let namespace = image.labels.get(labels::NAMESPACE);
        namespace == Some(&shared.config.namespace)
            && Role::of(&image.labels) == Some(Role::Snapshot)
    });
    for name in ours.flat_map(|image| image.repo_tags) {
        let options = RemoveImageOptions {
            force: true,
            ..RemoveImageOptions::default()
        };
        match client.remove_image(&name, Some(options), None).await {
            Ok(_) => {}
            Err(error) if has_status(&error, 404) => {}
            Err(error) => {
                failed.get_or_insert(docker("docker.purge")(error));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
