//! What surrounds the sandboxes of this process and is protected from them: this machine.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use if_addrs::{IfAddr, Interface};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sandbox_core::egress::Environment;
use socket2::{Domain, Socket, Type};

use crate::lock::Lock;

/// How long what was found out counts. A new address of the host that is younger is still kept from
/// guests by [`Surroundings::is_host`].
const FRESH: Duration = Duration::from_secs(1);

/// Where sandboxes are.
pub(super) trait Surroundings: fmt::Debug + Send + Sync + 'static {
    /// What is protected now; the same `Arc` while nothing changes. `None` when it cannot be told:
    /// then nothing may be reached.
    fn environment(&self) -> Option<Arc<Environment>>;

    /// Whether what is sent to `address` now stays on this machine, whoever listed its addresses.
    ///
    /// # Errors
    /// When the host has no socket left to ask with.
    fn is_host(&self, address: IpAddr) -> io::Result<bool>;
}

/// The machine that this process runs on.
#[derive(Debug)]
pub(super) struct Host {
    protected: Vec<IpNet>,
    open: Vec<IpNet>,
    seen: Lock<Option<(Instant, Arc<Environment>)>>,
}

impl Host {
    pub(super) fn new(protected: Vec<IpNet>, open: Vec<IpNet>) -> Self {
        Self {
            protected,
            open,
            seen: Lock::new(None),
        }
    }

    fn look(&self) -> io::Result<Environment> {
        let mut environment = Environment {
            own_loopback: true,
            neighbours: self.protected.clone(),
            open: self.open.clone(),
            ..Environment::default()
        };
        for interface in if_addrs::get_if_addrs()? {
            let ip = interface.ip();
            // A sandbox's loopback is its own, and the host's is out of reach altogether.
            if !ip.is_loopback() {
                environment.host.push(ip.into());
            }
            if is_bridge(&interface.name) {
                environment.neighbours.extend(network(&interface));
            }
        }
        Ok(environment)
    }
}

impl Surroundings for Host {
    fn environment(&self) -> Option<Arc<Environment>> {
        let mut seen = self.seen.lock();
        let known = seen.as_ref();
        if let Some((at, environment)) = known
            && at.elapsed() < FRESH
        {
            return Some(Arc::clone(environment));
        }
        let environment = match (self.look(), known) {
            (Ok(now), Some((_, before))) if **before == now => Arc::clone(before),
            (Ok(now), _) => Arc::new(now),
            (Err(error), Some((_, before))) => {
                tracing::warn!(%error, "the host's addresses cannot be listed again");
                Arc::clone(before)
            }
            (Err(error), None) => {
                tracing::error!(%error, "the host's addresses cannot be listed: nothing is reached");
                return None;
            }
        };
        *seen = Some((Instant::now(), Arc::clone(&environment)));
        Some(environment)
    }

    fn is_host(&self, address: IpAddr) -> io::Result<bool> {
        let domain = match address {
            IpAddr::V4(_) => Domain::IPV4,
            IpAddr::V6(_) => Domain::IPV6,
        };
        // Connecting a datagram socket sends nothing: it chooses a route, and with it the address
        // to send from. For the host's own addresses that is the address itself, and for what is
        // only routed to the host (whole ranges can be) one of loopback.
        let socket = match Socket::new(domain, Type::DGRAM, None) {
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok(false),
            socket => socket?,
        };
        if socket.connect(&SocketAddr::new(address, 9).into()).is_err() {
            // There is no way there, so nobody gets there.
            return Ok(false);
        }
        let local = socket.local_addr()?.as_socket().map(|local| local.ip());
        Ok(local.is_none_or(|local| local.is_loopback() || local == address))
    }
}

/// Whether other sandboxes, containers and virtual machines are plugged into the interface.
fn is_bridge(name: &str) -> bool {
    // Linux allows no `/` in a name, but this is not the place to rely on it.
    !name.contains('/')
        && Path::new("/sys/class/net")
            .join(name)
            .join("bridge")
            .exists()
}

fn network(interface: &Interface) -> Option<IpNet> {
    Some(match &interface.addr {
        IfAddr::V4(v4) => Ipv4Net::with_netmask(v4.ip, v4.netmask)
            .ok()?
            .trunc()
            .into(),
        IfAddr::V6(v6) => Ipv6Net::with_netmask(v6.ip, v6.netmask)
            .ok()?
            .trunc()
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_addresses_are_listed_and_found_by_their_routes() {
        let host = Host::new(Vec::new(), Vec::new());
        let environment = host.environment().unwrap();
        assert!(environment.own_loopback);
        for net in &environment.host {
            // Link-local addresses need an interface to be reached by.
            let IpAddr::V4(address) = net.addr() else {
                continue;
            };
            assert!(host.is_host(address.into()).unwrap(), "{address}");
        }
        let again = host.environment().unwrap();
        assert_eq!(environment, again);
    }

    #[test]
    fn every_address_of_loopback_stays_on_the_machine() {
        let host = Host::new(Vec::new(), Vec::new());
        for address in ["127.0.0.1", "127.8.8.8"] {
            assert!(host.is_host(address.parse().unwrap()).unwrap(), "{address}");
        }
    }
}
