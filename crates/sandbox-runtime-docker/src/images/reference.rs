//! Image names as registries understand them, and those that are not for everybody.

use sandbox_core::{Error, Result};

use crate::config::DockerConfig;
use crate::labels;

/// The registry of names that say none.
const HUB: &str = "docker.io";
/// The digits of an image id that people are shown.
const SHORT_ID: usize = 12;

/// A name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Host, with a port where the name has one.
    pub(super) registry: String,
    /// The name without its tag, as the daemon takes it.
    pub(super) repository: String,
    /// The tag or digest. Never empty: without one the daemon pulls every tag there is.
    pub(super) tag: String,
}

impl Reference {
    pub(super) fn parse(name: &str) -> Self {
        let (repository, tag) = match name.split_once('@') {
            Some((repository, digest)) => (without_tag(repository).0, digest),
            None => without_tag(name),
        };
        let registry = match repository.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
            _ => HUB,
        };
        Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        }
    }
}

/// The full name of the image `name`, as the daemon keeps it.
///
/// A daemon reads a short name as the beginning of an image id too, and ids reach every image
/// there is, the snapshots of everybody among them; it never does that with a full name.
///
/// # Errors
/// `InvalidSpec` with the field `image` for ids, and for repositories that hold what is ours.
pub(super) fn public(config: &DockerConfig, name: &str) -> Result<String> {
    let refuse = |why: &str| {
        let message = format!("{name:?} {why}");
        Err(Error::invalid("docker.image", "image", message))
    };
    if is_id(name) {
        return refuse("is an id: images are named by repository and tag");
    }
    let full = full(name);
    if is_ours(config, &full) {
        return refuse("is kept by the runtime for itself; snapshots are another kind of source");
    }
    Ok(full)
}

/// Whether `name`, a full name or one as the daemon shortens it, is of a repository of ours.
pub(super) fn is_ours(config: &DockerConfig, name: &str) -> bool {
    let full = full(name).to_ascii_lowercase();
    let Some(rest) = full.strip_prefix("docker.io/library/") else {
        return false;
    };
    let repository = Reference::parse(rest).repository;
    let snapshots = labels::snapshot_repository("");
    repository.starts_with(&snapshots)
        || repository == config.holder_image
        || repository == DockerConfig::default().holder_image
}

/// `sha256:` and what follows, or so many hexadecimal digits that it is no name.
fn is_id(name: &str) -> bool {
    let digits = name.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    name.starts_with("sha256:") || digits && name.len() >= SHORT_ID
}

/// As the daemon completes names: registry, `library/` on the hub, and a tag.
fn full(name: &str) -> String {
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => (HUB, name),
    };
    let host = match host.to_ascii_lowercase().as_str() {
        HUB | "index.docker.io" => HUB,
        _ => host,
    };
    let library = if host == HUB && !path.contains('/') {
        "library/"
    } else {
        ""
    };
    let tag = if path.contains('@') || without_tag(path).0 != path {
        ""
    } else {
        ":latest"
    };
    format!("{host}/{library}{path}{tag}")
}

/// A colon after the last slash begins the tag; one before it belongs to a port.
fn without_tag(name: &str) -> (&str, &str) {
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    match name[slash..].split_once(':') {
        Some((last, tag)) => (&name[..slash + last.len()], tag),
        None => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_as_registries_read_them() {
        for (name, registry, repository, tag) in [
            ("debian", "docker.io", "debian", "latest"),
            ("debian:12", "docker.io", "debian", "12"),
            ("user/app:v1", "docker.io", "user/app", "v1"),
            ("localhost/app", "localhost", "localhost/app", "latest"),
            ("host:5000/a/b", "host:5000", "host:5000/a/b", "latest"),
            (
                "ghcr.io/a/b:2@sha256:ff",
                "ghcr.io",
                "ghcr.io/a/b",
                "sha256:ff",
            ),
        ] {
            let expected = Reference {
                registry: registry.into(),
                repository: repository.into(),
                tag: tag.into(),
            };
            assert_eq!(Reference::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn names_are_completed_as_the_daemon_does() {
        for (name, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("deadbeef", "docker.io/library/deadbeef:latest"),
            ("docker.io/debian:12", "docker.io/library/debian:12"),
            ("index.docker.io/a/b", "docker.io/a/b:latest"),
            ("host:5000/a", "host:5000/a:latest"),
            ("localhost/a@sha256:ff", "localhost/a@sha256:ff"),
        ] {
            let named = public(&DockerConfig::default(), name).unwrap();
            assert_eq!(named, expected, "{name}");
        }
    }

    #[test]
    fn ids_and_what_is_ours_are_no_image_for_anybody() {
        let config = DockerConfig {
            holder_image: "own".into(),
            ..DockerConfig::default()
        };
        let id = "d5b7081ec1deaaaad5b7081ec1deaaaad5b7081ec1deaaaad5b7081ec1deaaaa";
        for name in [
            id,
            &id[..12],
            &format!("sha256:{id}"),
            "sha256:d5b7",
            "sandbox-snapshot-t:snap-1",
            "sandbox-snapshot-t@sha256:ff",
            "sandbox-snapshot-other",
            "library/sandbox-snapshot-t:snap-1",
            "docker.io/sandbox-snapshot-t:snap-1",
            "docker.io/library/sandbox-snapshot-t:snap-1",
            "index.docker.io/library/sandbox-snapshot-t:snap-1",
            "INDEX.docker.io/Sandbox-Snapshot-t:snap-1",
            "own:1",
            "sandbox-holder",
        ] {
            let error = public(&config, name).unwrap_err();
            assert_eq!(error.kind(), sandbox_core::ErrorKind::InvalidSpec, "{name}");
            assert_eq!(error.field(), Some("image"), "{name}");
        }
        for other in ["host:5000/sandbox-snapshot-t", "a/sandbox-holder", "owner"] {
            public(&config, other).unwrap();
        }
    }
}
