//! The network of one sandbox.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sandbox_core::egress::{DomainName, EgressRules};
use tokio::sync::Semaphore;

use super::address::Family;
use super::denials::{DenialSink, Denials};
use super::gate::Gate;
use super::hub::Hub;
use super::limit::Limit;
use super::ports::Ports;
use super::resolver::ResolveError;
use crate::kernel::{self, Errno, Machine, Result};

/// Lookups of one sandbox at once; the others wait for their turn.
const LOOKUPS: usize = 8;
/// How long a lookup may take. Programs give up after five seconds, or a few times that.
const LOOKUP_TIME: Duration = Duration::from_secs(20);
/// The most sockets of one sandbox, whatever its limit of open files is: each takes memory of the
/// host's.
const MAX_SOCKETS: usize = 16_384;

/// Sockets, policy and lookups of one sandbox. Until a policy is [set](Self::set_egress) everything
/// but the sandbox's own loopback is denied, and that as well.
#[derive(Debug)]
pub(crate) struct Network {
    this: Weak<Self>,
    hub: Arc<Hub>,
    gate: Gate,
    ports: Ports,
    sockets: Arc<Limit>,
    traffic: Traffic,
    lookups: Arc<Semaphore>,
}

/// Bytes that went over the sandbox's border.
#[derive(Debug, Default)]
struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Network {
    /// A network for a sandbox that may have `open_files` sockets, and whose refusals are told to
    /// `denied`.
    pub(crate) fn new(hub: Arc<Hub>, open_files: u32, denied: Box<dyn DenialSink>) -> Arc<Self> {
        let denials = Denials::new(Arc::clone(&hub), denied);
        let most = (open_files as usize).min(MAX_SOCKETS);
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            gate: Gate::new(Arc::clone(&hub.surroundings), hub.lifetime, denials),
            hub,
            ports: Ports::default(),
            sockets: Limit::new(most),
            traffic: Traffic::default(),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        })
    }

    /// The network of a machine.
    ///
    /// # Errors
    /// `AFNOSUPPORT` for a machine without one.
    pub(crate) fn of(machine: &Machine) -> Result<Arc<Self>> {
        let network = machine.network.as_deref();
        let network = network.and_then(|network| network.as_any().downcast_ref::<Self>());
        network
            .and_then(|network| network.this.upgrade())
            .ok_or(Errno::AFNOSUPPORT)
    }

    /// Replaces the policy, and cuts at once what the new one does not allow. `None` denies
    /// everything, also the sandbox's own loopback: for the end of a sandbox.
    pub(crate) fn set_egress(&self, rules: Option<&EgressRules>) {
        self.gate.set(rules);
    }

    /// Which rule decides about `destination`, and why.
    #[cfg(test)]
    pub(crate) fn explain(
        &self,
        destination: &sandbox_core::egress::Destination,
    ) -> sandbox_core::egress::Explanation {
        self.gate.explain(destination)
    }

    /// Bytes received from outside and sent there, so far.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        let Traffic { received, sent } = &self.traffic;
        (
            received.load(Ordering::Relaxed),
            sent.load(Ordering::Relaxed),
        )
    }

    /// The addresses of `name`, of one family or of both. Addresses in the answer are open by the
    /// time it is here, where `allow_domains` has the name.
    ///
    /// An address and `localhost` are what they say, and nobody is asked.
    ///
    /// # Errors
    /// `ACCES` when the policy denies the lookup, `NOENT` when there is no such name or it has no
    /// address, `AGAIN` when no resolver has answered.
    pub(crate) async fn resolve(&self, name: &str, family: Option<Family>) -> Result<Vec<IpAddr>> {
        let found = match literal(name) {
            Some(found) => found,
            None => self.look_up(name).await?,
        };
        of_family(found, family)
    }

    /// The addresses of the sandbox itself.
    pub(crate) fn loopback(family: Option<Family>) -> Result<Vec<IpAddr>> {
        of_family(own_addresses(), family)
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>> {
        let name = DomainName::parse(name).map_err(|_| Errno::NOENT)?;
        let permit = self.gate.admit_lookup(&name)?;
        let turn = Arc::clone(&self.lookups).acquire_owned().await;
        let turn = turn.map_err(|_| Errno::AGAIN)?;
        let resolver = Arc::clone(&self.hub.resolver);
        // On the network's own threads: the resolver may need their async runtime. The turn ends
        // with the lookup, also when nobody waits for it any more.
        let lookup = self.hub.handle()?.spawn(async move {
            let answer = tokio::time::timeout(LOOKUP_TIME, resolver.resolve(&name)).await;
            drop(turn);
            answer
        });
        let answer = match lookup.await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(ResolveError::NotFound))) => return Err(Errno::NOENT),
            Ok(Ok(Err(ResolveError::Unavailable)) | Err(_)) | Err(_) => return Err(Errno::AGAIN),
        };
        self.gate.learn(&permit, &answer)?;
        Ok(answer)
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(super) fn sockets(&self) -> &Arc<Limit> {
        &self.sockets
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.traffic
            .received
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.traffic.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl kernel::Network for Network {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn shut_down(&self) {
        self.set_egress(None);
    }
}

/// What needs no resolver: an address, or a name of loopback (RFC 6761).
fn literal(name: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Some(vec![address]);
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let own = name == "localhost" || name.ends_with(".localhost");
    own.then(own_addresses)
}

fn own_addresses() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

/// # Errors
/// `NOENT` when none is left.
fn of_family(mut found: Vec<IpAddr>, family: Option<Family>) -> Result<Vec<IpAddr>> {
    found.retain(|address| family.is_none_or(|family| Family::of(*address) == family));
    if found.is_empty() {
        return Err(Errno::NOENT);
    }
    Ok(found)
}
