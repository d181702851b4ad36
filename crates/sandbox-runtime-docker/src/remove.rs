//! Removing containers so that they are gone, however often it is asked for.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};
use sandbox_core::{Error, ErrorKind, Result};

use crate::error::{docker, has_status};
use crate::labels;

/// How long a removal that somebody else began may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kills and removes a container with its anonymous volumes. One that is not there is removed.
pub(crate) async fn container(client: &Docker, name: &str) -> Result<()> {
    let begun = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        match client.remove_container(name, Some(options)).await {
            Ok(()) => return Ok(()),
            Err(error) if has_status(&error, 404) => return Ok(()),
            // Somebody else is removing it, or it is changing state: see how that ends.
            Err(error) if is_passing(&error) && begun.elapsed() < PATIENCE => {}
            Err(error) => return Err(docker("docker.remove")(error)),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

fn is_passing(error: &bollard::errors::Error) -> bool {
    let text = error.to_string();
    has_status(error, 409)
        || text.contains("removal of container") && text.contains("in progress")
        || text.contains("did not receive an exit event")
        || text.contains("device or resource busy")
}

/// Removes the container `name` if it was made by `attempt`, and nobody else's.
pub(crate) async fn attempt(client: &Docker, name: &str, attempt: &str) -> Result<()> {
    let inspected = client
        .inspect_container(name, None::<InspectContainerOptions>)
        .await;
    let found = match inspected {
        Ok(found) => found,
        Err(error) if has_status(&error, 404) => return Ok(()),
        Err(error) => return Err(docker("docker.remove")(error)),
    };
    let labels = found
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    match (labels.get(labels::ATTEMPT), found.id) {
        (Some(made_by), Some(id)) if made_by == attempt => container(client, &id).await,
        _ => Ok(()),
    }
}

/// Removes several containers, all of them even when one fails; the first failure is the answer.
pub(crate) async fn all(client: &Docker, names: impl IntoIterator<Item = &String>) -> Result<()> {
    let mut failed: Option<Error> = None;
    for name in names {
        if let Err(error) = container(client, name).await {
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Some(error) => Err(error),
        None => Ok(()),
    }
}
