//! The section `docker`.

use std::net::IpAddr;

use sandbox_runtime_docker::{AgentMode, DockerConfig, PullPolicy};
use serde::{Deserialize, Serialize};

use super::units::{Bytes, Span};

/// What the Docker runtime is told: [`DockerConfig`], as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DockerSection {
    pub(crate) host: Option<String>,
    pub(crate) namespace: String,
    pub(crate) runtime_class: Option<String>,
    pub(crate) agent: Agent,
    pub(crate) network: String,
    pub(crate) holder_image: String,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) pull: Pull,
    pub(crate) no_new_privileges: bool,
    pub(crate) shm_size: Bytes,
    pub(crate) request_timeout: Span,
    pub(crate) pull_timeout: Span,
    pub(crate) orphan_age: Span,
}

/// How commands and files reach a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Agent {
    Auto,
    Required,
    Never,
}

/// When images are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pull {
    Missing,
    Always,
    Never,
}

impl Default for DockerSection {
    fn default() -> Self {
        let DockerConfig {
            host,
            namespace,
            runtime_class,
            agent,
            network,
            holder_image,
            dns,
            pull,
            no_new_privileges,
            shm_size,
            request_timeout,
            pull_timeout,
            orphan_age,
            ..
        } = DockerConfig::default();
        Self {
            host,
            namespace,
            runtime_class,
            agent: match agent {
                AgentMode::Auto => Agent::Auto,
                AgentMode::Required => Agent::Required,
                AgentMode::Never => Agent::Never,
            },
            network,
            holder_image,
            dns,
            pull: match pull {
                PullPolicy::Missing => Pull::Missing,
                PullPolicy::Always => Pull::Always,
                PullPolicy::Never => Pull::Never,
            },
            no_new_privileges,
            shm_size: Bytes(shm_size),
            request_timeout: Span(request_timeout),
            pull_timeout: Span(pull_timeout),
            orphan_age: Span(orphan_age),
        }
    }
}

impl DockerSection {
    /// What the runtime is told.
    pub(crate) fn config(&self) -> DockerConfig {
        let mut config = DockerConfig::default();
        config.host.clone_from(&self.host);
        config.namespace.clone_from(&self.namespace);
        config.runtime_class.clone_from(&self.runtime_class);
        config.agent = match self.agent {
            Agent::Auto => AgentMode::Auto,
            Agent::Required => AgentMode::Required,
            Agent::Never => AgentMode::Never,
        };
        config.network.clone_from(&self.network);
        config.holder_image.clone_from(&self.holder_image);
        config.dns.clone_from(&self.dns);
        config.pull = match self.pull {
            Pull::Missing => PullPolicy::Missing,
            Pull::Always => PullPolicy::Always,
            Pull::Never => PullPolicy::Never,
        };
        config.no_new_privileges = self.no_new_privileges;
        config.shm_size = self.shm_size.0;
        config.request_timeout = self.request_timeout.0;
        config.pull_timeout = self.pull_timeout.0;
        config.orphan_age = self.orphan_age.0;
        config
    }
}
