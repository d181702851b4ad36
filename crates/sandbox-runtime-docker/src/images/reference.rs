//! Image names as registries understand them.

/// The registry of names that say none.
const HUB: &str = "docker.io";

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
}
