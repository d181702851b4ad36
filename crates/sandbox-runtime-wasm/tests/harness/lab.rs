//! Hosts around Wasm sandboxes, whose connections are those of the process they run in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::egress::DomainName;
use sandbox_core::{Result, Sandbox};
use sandbox_runtime_wasm::net::{NetworkConfig, ResolveError, Resolver};
use sandbox_testkit::conformance::{LabHost, NetworkLab};
use sandbox_testkit::netlab::{Addresses, NetLab, OTHER_TCP, TCP, TICKS};

const NEAR: &str = "near.one.test";
const FAR: &str = "far.two.test";

/// Knows the lab's names.
#[derive(Debug)]
struct LabResolver(Addresses);

#[async_trait]
impl Resolver for LabResolver {
    async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        let Self(addresses) = self;
        match name.as_str() {
            NEAR => Ok(vec![addresses.near().into(), addresses.near_v6().into()]),
            FAR => Ok(vec![addresses.far().into(), addresses.far_v6().into()]),
            _ => Err(ResolveError::NotFound),
        }
    }
}

/// The lab.
#[derive(Debug, Clone)]
pub(super) struct Lab(Arc<NetLab>);

impl Lab {
    /// Moves this thread in among the hosts, in a network namespace of its own, and with it every
    /// runtime that it makes from then on. Needs root.
    pub(super) fn enter() -> Self {
        Self(Arc::new(NetLab::private()))
    }

    /// A network whose names are the lab's: the machine's resolver knows other ones.
    pub(super) fn config(&self) -> NetworkConfig {
        let mut config = NetworkConfig::default();
        config.resolver = Arc::new(LabResolver(self.0.addresses));
        config
    }
}

fn host(v4: std::net::Ipv4Addr, v6: std::net::Ipv6Addr) -> LabHost {
    LabHost {
        v4,
        v6,
        tcp: TCP,
        other_tcp: OTHER_TCP,
        ticks: TICKS,
    }
}

#[async_trait]
impl NetworkLab for Lab {
    fn near(&self) -> LabHost {
        host(self.0.addresses.near(), self.0.addresses.near_v6())
    }

    fn far(&self) -> LabHost {
        host(self.0.addresses.far(), self.0.addresses.far_v6())
    }

    fn near_name(&self) -> String {
        NEAR.to_owned()
    }

    fn far_name(&self) -> String {
        FAR.to_owned()
    }

    fn forbidden(&self) -> Vec<SocketAddr> {
        self.0.forbidden()
    }

    /// None: a sandbox has its loopback and nothing that anybody else could reach.
    async fn addresses(&self, _sandbox: &dyn Sandbox) -> Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}
