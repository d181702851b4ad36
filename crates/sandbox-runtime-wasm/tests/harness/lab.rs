//! Hosts around Wasm sandboxes, whose connections are this machine's.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sandbox_core::egress::DomainName;
use sandbox_core::{Result, Sandbox};
use sandbox_runtime_wasm::net::{ResolveError, Resolver};
use sandbox_testkit::conformance::{LabHost, NetworkLab};
use sandbox_testkit::netlab::{Addresses, NetLab, OTHER_TCP, TCP, TICKS};

const NEAR: &str = "near.one.test";
const FAR: &str = "far.two.test";

/// Knows the lab's names, once there is a lab.
#[derive(Debug, Default)]
pub(super) struct LabResolver(OnceLock<Addresses>);

#[async_trait]
impl Resolver for LabResolver {
    async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        let addresses = self.0.get().ok_or(ResolveError::Unavailable)?;
        match name.to_string().as_str() {
            NEAR => Ok(vec![addresses.near().into(), addresses.near_v6().into()]),
            FAR => Ok(vec![addresses.far().into(), addresses.far_v6().into()]),
            _ => Err(ResolveError::NotFound),
        }
    }
}

/// The lab.
#[derive(Debug)]
pub(super) struct Lab(NetLab);

impl Lab {
    /// Lays it around this machine, and tells `names` about it.
    pub(super) fn around(names: &Arc<LabResolver>) -> Self {
        let lab = NetLab::new();
        assert!(names.0.set(lab.addresses).is_ok(), "there is a lab already");
        Self(lab)
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
