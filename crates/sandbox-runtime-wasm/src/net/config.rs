//! What an embedder may say about the network of its sandboxes.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::resolver::{Resolver, SystemResolver};

/// The network around all sandboxes of a runtime.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// Who answers lookups. Default: the host's own resolver.
    pub resolver: Arc<dyn Resolver>,
    /// The most sockets of the host for all sandboxes together. Default: 4096.
    pub max_sockets: usize,
    /// How long a connection may take to come about before the guest is told `ETIMEDOUT`. Default:
    /// one minute.
    pub connect_timeout: Duration,
    /// Ranges that no policy opens, besides those that are found out: the host's addresses and the
    /// networks of its bridges.
    pub protected: Vec<IpNet>,
    /// Exceptions from every protection. Opening an address does not allow it: a sandbox's policy
    /// still decides. Default: none.
    pub open: Vec<IpNet>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            max_sockets: 4096,
            connect_timeout: Duration::from_secs(60),
            protected: Vec::new(),
            open: Vec::new(),
        }
    }
}
