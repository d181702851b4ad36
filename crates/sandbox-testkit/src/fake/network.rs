//! A network that exists only here: hosts with services, names, and the sandboxes themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use sandbox_core::egress::Environment;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::kernel::Kernel;
use crate::lock::Locked;

/// The sandboxes' way out, which is also the machine that runs them.
const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x88, 0, 0, 0, 0, 0, 1);

/// What answers on a TCP port of a [`FakeHost`].
#[derive(Debug, Clone)]
pub enum FakeService {
    /// Sends these bytes and closes.
    Greet(Bytes),
    /// Sends these bytes again and again, this far apart, until the other side goes away.
    Tick(Bytes, Duration),
    /// Sends back what it gets.
    Echo,
}

/// A host that sandboxes may reach, if their policy allows it.
#[derive(Debug, Clone, Default)]
pub struct FakeHost {
    /// What answers on which TCP port.
    pub tcp: BTreeMap<u16, FakeService>,
    /// The UDP ports that answer.
    pub udp: BTreeSet<u16>,
    /// Whether it answers to ping.
    pub ping: bool,
}

/// The network of one [`FakeDaemon`](crate::FakeDaemon). Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct FakeNetwork {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    hosts: BTreeMap<IpAddr, FakeHost>,
    names: BTreeMap<String, Vec<IpAddr>>,
    members: BTreeMap<IpAddr, Weak<Kernel>>,
    last: u16,
}

impl FakeNetwork {
    /// Puts a host at `address`, in place of what was there.
    pub fn add_host(&self, address: IpAddr, host: FakeHost) {
        self.state.locked().hosts.insert(address, host);
    }

    /// Makes `name` resolve to `addresses`.
    pub fn add_name(&self, name: &str, addresses: Vec<IpAddr>) {
        let name = name.to_ascii_lowercase();
        self.state.locked().names.insert(name, addresses);
    }

    /// The addresses under which the machine that runs the sandboxes stands in this network.
    pub fn gateway(&self) -> [IpAddr; 2] {
        [GATEWAY_V4.into(), GATEWAY_V6.into()]
    }

    pub(crate) fn host(&self, address: IpAddr) -> Option<FakeHost> {
        self.state.locked().hosts.get(&address).cloned()
    }

    pub(crate) fn member(&self, address: IpAddr) -> Option<Arc<Kernel>> {
        let state = self.state.locked();
        state.members.get(&address).and_then(Weak::upgrade)
    }

    pub(crate) fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let state = self.state.locked();
        state.names.get(name).cloned().unwrap_or_default()
    }

    /// Addresses for a new sandbox.
    pub(crate) fn allocate(&self) -> Vec<IpAddr> {
        let mut state = self.state.locked();
        loop {
            // .1 is the gateway; addresses come back into use after 65,000 sandboxes.
            state.last = state.last.checked_add(1).unwrap_or(2).max(2);
            let [high, low] = state.last.to_be_bytes();
            let v4 = IpAddr::from(Ipv4Addr::new(10, 88, high, low));
            if !state.members.contains_key(&v4) {
                let v6 = Ipv6Addr::new(0xfd00, 0x88, 0, 0, 0, 0, 0, state.last);
                return vec![v4, v6.into()];
            }
        }
    }

    pub(crate) fn enter(&self, addresses: &[IpAddr], kernel: &Arc<Kernel>) {
        let mut state = self.state.locked();
        for address in addresses {
            state.members.insert(*address, Arc::downgrade(kernel));
        }
    }

    pub(crate) fn leave(&self, addresses: &[IpAddr]) {
        let mut state = self.state.locked();
        for address in addresses {
            state.members.remove(address);
        }
    }

    /// What surrounds a sandbox that has these addresses.
    pub(crate) fn environment(own: &[IpAddr]) -> Environment {
        let nets = |texts: [&str; 2]| texts.iter().filter_map(|t| t.parse().ok()).collect();
        Environment {
            own: own.to_vec(),
            host: nets(["10.88.0.1/32", "fd00:88::1/128"]),
            gateway: nets(["10.88.0.1/32", "fd00:88::1/128"]),
            neighbours: nets(["10.88.0.0/16", "fd00:88::/64"]),
            ..Environment::namespace()
        }
    }
}

impl FakeService {
    /// Serves one connection; says how many bytes it got and sent, as they pass.
    pub(crate) async fn serve(self, mut stream: DuplexStream, traffic: impl Fn(usize, usize)) {
        match self {
            Self::Greet(bytes) => {
                if stream.write_all(&bytes).await.is_ok() {
                    traffic(0, bytes.len());
                }
                // The other side may have gone away first.
                let _ = stream.shutdown().await;
            }
            Self::Tick(bytes, apart) => {
                while stream.write_all(&bytes).await.is_ok() {
                    traffic(0, bytes.len());
                    tokio::time::sleep(apart).await;
                }
            }
            Self::Echo => {
                let mut buffer = vec![0; 16 << 10];
                while let Ok(got @ 1..) = stream.read(&mut buffer).await {
                    traffic(got, 0);
                    if stream.write_all(&buffer[..got]).await.is_err() {
                        return;
                    }
                    traffic(0, got);
                }
            }
        }
    }
}
