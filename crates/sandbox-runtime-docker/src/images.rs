//! Images on the daemon: found, pulled, and what they say about the commands run in them.

mod credentials;
mod reference;

use std::time::Duration;

use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{Stream, StreamExt};
use sandbox_core::{Error, ErrorKind, Progress, Result, SnapshotId, Source};

use crate::config::{DockerConfig, PullPolicy};
use crate::daemon::Daemon;
use crate::error::{docker, has_status};
use crate::labels::{self, Defaults, Role};

use reference::Reference;

/// An image the daemon has.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Its content id, so that a tag that moves meanwhile changes nothing.
    pub(crate) id: String,
    pub(crate) defaults: Defaults,
    /// Where it asks for volumes, as it writes it.
    pub(crate) volumes: Vec<String>,
}

/// The image that `source` names, pulled first where the policy says so.
pub(crate) async fn resolve(
    daemon: &Daemon,
    config: &DockerConfig,
    source: &Source,
) -> Result<Image> {
    match source {
        Source::Snapshot(snapshot) => snapshot_image(daemon, config, snapshot).await,
        Source::Image(name) => {
            let full = reference::public(config, name)?;
            let pulled = config.pull == PullPolicy::Always;
            if pulled {
                pull_to_the_end(daemon, config, name).await?;
            }
            if let Some(image) = inspect_public(daemon, config, &full).await? {
                return Ok(Image::of(image, false));
            }
            if pulled || config.pull == PullPolicy::Never {
                return Err(unknown(name));
            }
            pull_to_the_end(daemon, config, name).await?;
            let image = inspect_public(daemon, config, &full).await?;
            let image = image.ok_or_else(|| unknown(name))?;
            Ok(Image::of(image, false))
        }
    }
}

/// Pulls `source` where the policy says so, telling how far it is.
pub(crate) async fn prepare(
    daemon: &Daemon,
    config: &DockerConfig,
    source: &Source,
) -> Result<sandbox_core::BoxStream<Result<Progress>>> {
    let name = match source {
        Source::Snapshot(snapshot) => {
            snapshot_image(daemon, config, snapshot).await?;
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        Source::Image(name) => name,
    };
    let full = reference::public(config, name)?;
    let present = inspect_public(daemon, config, &full).await?.is_some();
    match config.pull {
        PullPolicy::Missing if present => Ok(Box::pin(futures_util::stream::empty())),
        PullPolicy::Never if present => Ok(Box::pin(futures_util::stream::empty())),
        PullPolicy::Never => Err(unknown(name)),
        PullPolicy::Missing | PullPolicy::Always => {
            let mut stream = Box::pin(pull(daemon, config, name).await);
            // What is wrong with the name itself shows in the first answer: say it as `create` does.
            match stream.next().await {
                Some(Err(error)) => Err(error),
                Some(Ok(first)) => {
                    let first = futures_util::stream::iter([Ok(first)]);
                    Ok(Box::pin(first.chain(stream)))
                }
                None => Ok(Box::pin(futures_util::stream::empty())),
            }
        }
    }
}

async fn snapshot_image(
    daemon: &Daemon,
    config: &DockerConfig,
    snapshot: &SnapshotId,
) -> Result<Image> {
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            "docker.snapshot",
            format!("there is no snapshot {snapshot}"),
        )
        .with_field("source.snapshot")
    };
    let name = snapshot_name(&config.namespace, snapshot).ok_or_else(missing)?;
    let image = inspect(daemon, &name).await?.ok_or_else(missing)?;
    Ok(Image::of(image, true))
}

/// The image of a snapshot; `None` for an id that cannot be one of ours.
pub(crate) fn snapshot_name(namespace: &str, snapshot: &SnapshotId) -> Option<String> {
    let ours = snapshot.as_str().starts_with("snap-") && !snapshot.as_str().contains(':');
    ours.then(|| format!("{}:{snapshot}", labels::snapshot_repository(namespace)))
}

impl Image {
    /// `ours`: the labels were written by us and say what the image's own settings were.
    fn of(image: ImageInspect, ours: bool) -> Self {
        let config = image.config.unwrap_or_default();
        let kept = config
            .labels
            .as_ref()
            .filter(|labels| ours && Role::of(labels) == Some(Role::Snapshot))
            .and_then(labels::defaults);
        Self {
            id: image.id.unwrap_or_default(),
            volumes: config.volumes.unwrap_or_default(),
            defaults: kept.unwrap_or_else(|| Defaults {
                user: config.user.unwrap_or_default(),
                workdir: config.working_dir.unwrap_or_default(),
                env: config.env.unwrap_or_default(),
            }),
        }
    }
}

/// The image `full`, unless all its names are ours, by whatever way the daemon came to it.
async fn inspect_public(
    daemon: &Daemon,
    config: &DockerConfig,
    full: &str,
) -> Result<Option<ImageInspect>> {
    let found = inspect(daemon, full).await?;
    Ok(found.filter(|image| {
        let tags = image.repo_tags.iter().flatten();
        let mut names = tags.chain(image.repo_digests.iter().flatten()).peekable();
        names.peek().is_none() || !names.all(|name| reference::is_ours(config, name))
    }))
}

async fn inspect(daemon: &Daemon, name: &str) -> Result<Option<ImageInspect>> {
    match daemon.docker.inspect_image(name).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if has_status(&error, 404) => Ok(None),
        Err(error) => Err(docker("docker.image")(error)),
    }
}

async fn pull_to_the_end(daemon: &Daemon, config: &DockerConfig, name: &str) -> Result<()> {
    let mut progress = Box::pin(pull(daemon, config, name).await);
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

async fn pull(
    daemon: &Daemon,
    config: &DockerConfig,
    name: &str,
) -> impl Stream<Item = Result<Progress>> + Send + use<> {
    let reference = Reference::parse(name);
    let credentials = credentials::of(&reference.registry).await;
    let options = CreateImageOptionsBuilder::new()
        .from_image(&reference.repository)
        .tag(&reference.tag)
        .build();
    let steps = daemon.docker.create_image(Some(options), None, credentials);
    let name = name.to_owned();
    let registry = reference.registry.clone();
    let steps = steps.map(move |step| match step {
        Ok(step) => Ok(progress(step)),
        Err(error) => Err(pull_error(&name, &registry, error)),
    });
    within(steps, config.pull_timeout, reference.registry)
}

/// Ends `steps` with an error when they take longer than `limit` in all.
fn within(
    steps: impl Stream<Item = Result<Progress>> + Send,
    limit: Duration,
    registry: String,
) -> impl Stream<Item = Result<Progress>> + Send {
    let end = tokio::time::Instant::now() + limit;
    let late = move || {
        let message = format!(
            "{registry} did not deliver the image in {} s",
            limit.as_secs()
        );
        Error::new(ErrorKind::Unavailable, "docker.pull", message)
    };
    futures_util::stream::unfold(Some((Box::pin(steps), late)), move |state| async move {
        let (mut steps, late) = state?;
        match tokio::time::timeout_at(end, steps.next()).await {
            Ok(Some(step)) => Some((step, Some((steps, late)))),
            Ok(None) => None,
            Err(_) => Some((Err(late()), None)),
        }
    })
}

fn progress(step: CreateImageInfo) -> Progress {
    let detail = step.progress_detail.unwrap_or_default();
    let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let status = step.status.unwrap_or_default();
    Progress {
        message: match step.id {
            Some(layer) => format!("{layer}: {status}"),
            None => status,
        },
        current: bytes(detail.current).unwrap_or(0),
        total: bytes(detail.total).filter(|total| *total > 0),
    }
}

fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "docker.image",
        format!("there is no image {name:?}"),
    )
    .with_field("image")
}

/// Tells an image that does not exist from a registry that does not answer. The daemon reports
/// both as text, and after the pull has begun without a status.
fn pull_error(name: &str, registry: &str, error: bollard::errors::Error) -> Error {
    let text = error.to_string();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has_status(&error, 404)
        || says(&[
            "manifest unknown",
            "not found",
            "does not exist",
            "invalid reference",
        ])
    {
        return unknown(name).with_source(error);
    }
    if says(&[
        "unauthorized",
        "denied",
        "authentication required",
        "no basic auth",
    ]) {
        let message = format!("{registry} refuses to hand out {name:?}: log in to it first");
        return Error::new(ErrorKind::PermissionDenied, "docker.pull", message)
            .with_field("image")
            .with_source(error);
    }
    let translated = docker("docker.pull")(error);
    if translated.is_retryable() {
        return translated;
    }
    let message = format!("the registry {registry} did not deliver {name:?}");
    Error::new(ErrorKind::Unavailable, "docker.pull", message).with_source(translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status_code: u16, message: &str) -> Error {
        let error = bollard::errors::Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        pull_error("nosuch:1", "docker.io", error)
    }

    #[test]
    fn an_unknown_image_is_told_from_a_registry_that_is_away() {
        let missing = failed(
            404,
            "pull access denied for nosuch, repository does not exist",
        );
        assert_eq!(
            (missing.kind(), missing.field()),
            (ErrorKind::NotFound, Some("image"))
        );
        let away = failed(
            500,
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: i/o timeout",
        );
        assert_eq!(away.kind(), ErrorKind::Unavailable);
        let line = away.explanation();
        assert!(away.message().contains("docker.io"), "{away}");
        assert_eq!(line.matches("i/o timeout").count(), 1, "{line}");
        assert_eq!(away.report().matches("i/o timeout").count(), 1);
        let login = failed(500, "Head \"https://x/v2/a\": no basic auth credentials");
        assert_eq!(login.kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn labels_of_a_pulled_image_are_not_believed() {
        let defaults = Defaults {
            user: "intruder".into(),
            ..Defaults::default()
        };
        let labels = [
            (labels::ROLE.to_owned(), Role::Snapshot.as_str().to_owned()),
            (
                labels::DEFAULTS.to_owned(),
                labels::to_json(&defaults).unwrap(),
            ),
        ];
        let image = ImageInspect {
            config: Some(bollard::models::ImageConfig {
                labels: Some(labels.into()),
                user: Some("app".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(Image::of(image.clone(), false).defaults.user, "app");
        assert_eq!(Image::of(image, true).defaults.user, "intruder");
    }
}
