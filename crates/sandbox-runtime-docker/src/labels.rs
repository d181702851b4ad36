//! Labels and names on the daemon: only what never changes about a thing.

use std::collections::HashMap;

use sandbox_core::{Error, ErrorKind, Result, SandboxId, SandboxSpec};
use serde::{Deserialize, Serialize};

/// Whose thing it is.
pub(crate) const NAMESPACE: &str = "dev.sandbox.namespace";
/// What the thing is: a [`Role`].
pub(crate) const ROLE: &str = "dev.sandbox.role";
/// The sandbox it belongs to.
pub(crate) const ID: &str = "dev.sandbox.id";
/// The spec the sandbox was made from, as JSON.
pub(crate) const SPEC: &str = "dev.sandbox.spec";
/// Where commands start and who runs them, as JSON ([`Defaults`]).
pub(crate) const DEFAULTS: &str = "dev.sandbox.defaults";
/// How the sandbox is reached: `agent` or `exec`.
pub(crate) const CHANNEL: &str = "dev.sandbox.channel";
/// `holder` when the sandbox's network belongs to a holder, `none` when it has none.
pub(crate) const NETWORK: &str = "dev.sandbox.network";
/// One attempt to make a sandbox; whatever carries another attempt's is not ours to clean up.
pub(crate) const ATTEMPT: &str = "dev.sandbox.attempt";
/// The layout of these labels.
pub(crate) const VERSION: &str = "dev.sandbox.version";
/// The layout this crate writes.
pub(crate) const CURRENT_VERSION: &str = "1";

/// What a thing on the daemon is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Owns the network of a pod.
    Holder,
    /// Runs the commands.
    Sandbox,
    /// An image made from a sandbox.
    Snapshot,
    /// Keeps the agent's volume filled.
    Agent,
    /// A short-lived container that finds out what works.
    Probe,
    /// A volume that an image asked for.
    Volume,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Sandbox => "sandbox",
            Self::Snapshot => "snapshot",
            Self::Agent => "agent",
            Self::Probe => "probe",
            Self::Volume => "volume",
        }
    }

    pub(crate) fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let role = labels.get(ROLE)?;
        [
            Self::Holder,
            Self::Sandbox,
            Self::Snapshot,
            Self::Agent,
            Self::Probe,
            Self::Volume,
        ]
        .into_iter()
        .find(|known| known.as_str() == role)
    }
}

/// What an image says about the commands run in it, fixed when the sandbox is made.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Defaults {
    /// Who runs commands, `name[:group]`; root when empty.
    pub(crate) user: String,
    /// Where commands start; the root when empty.
    pub(crate) workdir: String,
    /// The image's environment, `NAME=value`.
    pub(crate) env: Vec<String>,
}

/// The labels everything of ours carries.
pub(crate) fn base(namespace: &str, role: Role) -> HashMap<String, String> {
    HashMap::from([
        (NAMESPACE.to_owned(), namespace.to_owned()),
        (ROLE.to_owned(), role.as_str().to_owned()),
        (VERSION.to_owned(), CURRENT_VERSION.to_owned()),
    ])
}

/// The filter that finds everything of `namespace`.
pub(crate) fn filter(namespace: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{NAMESPACE}={namespace}")])])
}

/// The sandbox's container name; it is what makes an id unique.
pub(crate) fn sandbox_name(namespace: &str, id: &SandboxId) -> String {
    format!("sandbox-{namespace}-{id}")
}

/// The holder's container name. No id contains a dot, so it is no other sandbox's name.
pub(crate) fn holder_name(namespace: &str, id: &SandboxId) -> String {
    format!("sandbox-{namespace}-{id}.holder")
}

/// The repository of a namespace's snapshots.
pub(crate) fn snapshot_repository(namespace: &str) -> String {
    format!("sandbox-snapshot-{namespace}")
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| {
        Error::new(
            ErrorKind::Internal,
            "docker.labels",
            "cannot be written as JSON",
        )
        .with_source(e)
    })
}

/// The sandbox id in `labels`, where there is a well-formed one.
pub(crate) fn id(labels: &HashMap<String, String>) -> Option<SandboxId> {
    SandboxId::new(labels.get(ID)?.clone()).ok()
}

/// The spec in `labels`, where there is a well-formed one.
pub(crate) fn spec(labels: &HashMap<String, String>) -> Option<SandboxSpec> {
    serde_json::from_str(labels.get(SPEC)?).ok()
}

/// The defaults in `labels`; none where there are none.
pub(crate) fn defaults(labels: &HashMap<String, String>) -> Option<Defaults> {
    serde_json::from_str(labels.get(DEFAULTS)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_holder_has_the_name_of_a_sandbox() {
        let id = SandboxId::new("a").unwrap();
        assert!(SandboxId::new("a.holder").is_err());
        assert_ne!(sandbox_name("n", &id), holder_name("n", &id));
    }

    #[test]
    fn labels_of_other_layouts_are_not_trusted() {
        let labels = HashMap::from([
            (ID.to_owned(), "../x".to_owned()),
            (SPEC.to_owned(), "{}".to_owned()),
            (ROLE.to_owned(), "admin".to_owned()),
        ]);
        assert_eq!(id(&labels), None);
        assert_eq!(spec(&labels), None);
        assert_eq!(Role::of(&labels), None);
    }
}
