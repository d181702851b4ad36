//! What an embedder decides about the runtime.

use std::env;
use std::net::IpAddr;
use std::time::Duration;

use sandbox_core::{Error, Result};

/// Where a daemon listens when nothing says otherwise.
pub const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// How commands and files reach a sandbox.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgentMode {
    /// Through the resident agent where the daemon can run it, else through `docker exec`, with
    /// fewer capabilities and a note in the runtime's health.
    #[default]
    Auto,
    /// Through the resident agent; connecting fails where the daemon cannot run it.
    Required,
    /// Through `docker exec` alone. Nothing of ours is placed inside the sandbox.
    Never,
}

/// When an image is fetched from its registry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PullPolicy {
    /// When the daemon does not have it.
    #[default]
    Missing,
    /// Before every use.
    Always,
    /// Never: an image the daemon does not have does not exist.
    Never,
}

/// Settings of a [`DockerRuntime`](crate::DockerRuntime); the defaults are the safe ones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DockerConfig {
    /// The daemon, `unix:///path` or `tcp://host:port`. Without one, `DOCKER_HOST`, and without
    /// that [`DEFAULT_HOST`].
    pub host: Option<String>,
    /// Whose sandboxes these are: servers with different namespaces share a daemon without
    /// touching each other's. 1 to 32 bytes of `a-z`, `0-9` and `_`. Default: `default`.
    pub namespace: String,
    /// The runtime class of sandboxes that ask for none; without one, the daemon's default.
    pub runtime_class: Option<String>,
    /// How commands and files reach a sandbox.
    pub agent: AgentMode,
    /// The bridge network of the sandboxes, made when it is missing; namespaces may share it. On
    /// any but the daemon's own `bridge`, the daemon's resolver is in the way of the pod's, and
    /// every sandbox's `/etc/resolv.conf` is rewritten by its shell when it is made. A network prepared with
    /// IPv6 gives sandboxes IPv6. Default: `bridge`.
    pub network: String,
    /// Repository under which the holder's image is kept on the daemon, tagged by its content.
    /// Default: `sandbox-holder`.
    pub holder_image: String,
    /// Name servers the pod's own resolver asks. Empty: those of the machine this runs on, and
    /// public ones where it only has loopback ones.
    pub dns: Vec<IpAddr>,
    /// When images are fetched.
    pub pull: PullPolicy,
    /// Whether set-user-id programs (`sudo`) gain nothing inside a sandbox. Default: true. Images
    /// that promise `sudo` need `false`; the capabilities a sandbox can have at all stay the same.
    pub no_new_privileges: bool,
    /// Size of a sandbox's `/dev/shm` in bytes; what it holds counts as the sandbox's memory.
    /// Default: 64 MiB.
    pub shm_size: u64,
    /// How long the daemon may take to answer a request other than a pull. Default: 60 s.
    pub request_timeout: Duration,
    /// How long a pull may take in all. Default: 15 min.
    pub pull_timeout: Duration,
    /// How old pieces of sandboxes that were never started become before they are removed, and
    /// unused agents of other versions.
    /// Default: 10 min.
    pub orphan_age: Duration,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            host: None,
            namespace: "default".to_owned(),
            runtime_class: None,
            agent: AgentMode::default(),
            network: "bridge".to_owned(),
            holder_image: "sandbox-holder".to_owned(),
            dns: Vec::new(),
            pull: PullPolicy::default(),
            no_new_privileges: true,
            shm_size: 64 << 20,
            request_timeout: Duration::from_secs(60),
            pull_timeout: Duration::from_secs(15 * 60),
            orphan_age: Duration::from_secs(10 * 60),
        }
    }
}

impl DockerConfig {
    /// The daemon's address as it will be used.
    pub fn resolved_host(&self) -> String {
        self.host
            .clone()
            .or_else(|| env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()))
            .unwrap_or_else(|| DEFAULT_HOST.to_owned())
    }

    /// Checks what can be checked without a daemon.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) naming the field.
    pub fn validate(&self) -> Result<()> {
        let refuse =
            |field: &str, message: &str| Err(Error::invalid("docker.config", field, message));
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
        if !(1..=32).contains(&self.namespace.len()) || !self.namespace.chars().all(allowed) {
            return refuse("namespace", "must be 1 to 32 of a-z, 0-9 and '_'");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let named = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.len() <= 64
                && name.chars().all(allowed)
        };
        if !named(&self.network) || matches!(&*self.network, "host" | "none" | "default") {
            return refuse(
                "network",
                "must be the name of a bridge network: 1 to 64 letters, digits, '_', '-' and '.'",
            );
        }
        if !named(&self.holder_image) || self.holder_image.chars().any(|c| c.is_ascii_uppercase()) {
            return refuse(
                "holder_image",
                "must be a repository name: 1 to 64 of a-z, digits, '_', '-' and '.'",
            );
        }
        if self.request_timeout.is_zero() || self.pull_timeout.is_zero() {
            return refuse("request_timeout", "timeouts must be longer than zero");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused_by_field() {
        let refused = |edit: fn(&mut DockerConfig)| {
            let mut config = DockerConfig::default();
            config.validate().unwrap();
            edit(&mut config);
            config.validate().unwrap_err().field().unwrap().to_owned()
        };
        // A dash would let `a` + `b-c` and `a-b` + `c` name the same container.
        assert_eq!(refused(|c| c.namespace = "a-b".into()), "namespace");
        assert_eq!(refused(|c| c.namespace = String::new()), "namespace");
        assert_eq!(refused(|c| c.network = "host".into()), "network");
        assert_eq!(refused(|c| c.network = "container:x".into()), "network");
        assert_eq!(refused(|c| c.holder_image = "A/b".into()), "holder_image");
        assert_eq!(
            refused(|c| c.pull_timeout = Duration::ZERO),
            "request_timeout"
        );
    }
}
