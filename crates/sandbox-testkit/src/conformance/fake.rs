//! The suite's harness for the fake runtime.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};

use super::{Harness, LAB_GREETING, LabHost, NetworkLab};
use crate::fake::{FAKE_IMAGE, FakeDaemon, FakeHost, FakeNetwork, FakeService};

/// A [`Harness`] for a [`FakeDaemon`], or for a runtime in front of one: a client over HTTP whose
/// server has the fake behind it.
#[derive(Debug, Clone)]
pub struct FakeHarness {
    daemon: FakeDaemon,
}

impl Default for FakeHarness {
    fn default() -> Self {
        Self::new(FakeDaemon::new())
    }
}

impl FakeHarness {
    /// A harness for `daemon`, into whose network it puts the lab's hosts.
    pub fn new(daemon: FakeDaemon) -> Self {
        FakeLab::put_into(daemon.network());
        Self { daemon }
    }

    /// The daemon.
    pub fn daemon(&self) -> &FakeDaemon {
        &self.daemon
    }
}

#[async_trait]
impl Harness for FakeHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.daemon.connect())
    }

    fn source(&self) -> Source {
        Source::Image(FAKE_IMAGE.to_owned())
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        Some(Box::new(FakeLab))
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(self.runtime().await)
    }
}

/// The [`NetworkLab`] inside a [`FakeNetwork`].
#[derive(Debug, Clone, Copy)]
pub struct FakeLab;

const NEAR: LabHost = LabHost {
    v4: Ipv4Addr::new(203, 0, 113, 7),
    v6: Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 7),
    tcp: 80,
    other_tcp: 8443,
    ticks: 7000,
};
const FAR: LabHost = LabHost {
    v4: Ipv4Addr::new(198, 51, 100, 9),
    v6: Ipv6Addr::new(0x2400, 0xcb00, 0, 0, 0, 0, 0, 9),
    ..NEAR
};
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
const TICK: Duration = Duration::from_millis(50);

impl FakeLab {
    /// Puts the lab's hosts, names and forbidden servers into a network.
    pub fn put_into(network: &FakeNetwork) {
        let greet = FakeService::Greet(LAB_GREETING.into());
        for host in [NEAR, FAR] {
            let services = FakeHost {
                tcp: [
                    (host.tcp, greet.clone()),
                    (host.other_tcp, greet.clone()),
                    (host.ticks, FakeService::Tick("tick\n".into(), TICK)),
                ]
                .into(),
                udp: [53].into(),
                ping: true,
            };
            network.add_host(host.v4.into(), services.clone());
            network.add_host(host.v6.into(), services);
        }
        for address in forbidden(network) {
            let server = FakeHost {
                tcp: [(address.port(), greet.clone())].into(),
                ping: true,
                ..FakeHost::default()
            };
            network.add_host(address.ip(), server);
        }
        for (name, host) in [("near.lab.example", NEAR), ("far.lab.test", FAR)] {
            network.add_name(name, vec![host.v4.into(), host.v6.into()]);
        }
    }
}

fn forbidden(network: &FakeNetwork) -> Vec<SocketAddr> {
    let addresses = METADATA.into_iter().chain(network.gateway());
    addresses.map(|address| (address, 80).into()).collect()
}

#[async_trait]
impl NetworkLab for FakeLab {
    fn near(&self) -> LabHost {
        NEAR
    }

    fn far(&self) -> LabHost {
        FAR
    }

    fn near_name(&self) -> String {
        "near.lab.example".to_owned()
    }

    fn far_name(&self) -> String {
        "far.lab.test".to_owned()
    }

    fn forbidden(&self) -> Vec<SocketAddr> {
        // Every fake network has the same gateway.
        forbidden(&FakeNetwork::default())
    }
}
