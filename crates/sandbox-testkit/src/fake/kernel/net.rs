//! A sandbox's own network stack, and the policy in front of everything beyond it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_core::RuntimeEvent;
use sandbox_core::egress::{Destination, EgressPolicy, EgressRules, Rule, ScopedPolicy};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Kernel;
use crate::lock::Locked;

const BUFFER: usize = 64 << 10;
/// Connections that wait to be accepted.
const BACKLOG: usize = 16;
/// How long an address that a name resolved to stays open.
const TIME_TO_LIVE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetError {
    /// The policy says no.
    Denied,
    /// Nothing listens there.
    Refused,
    /// There is no such host, or no such name.
    Unreachable,
}

impl std::fmt::Display for NetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Denied => "Operation not permitted",
            Self::Refused => "Connection refused",
            Self::Unreachable => "No route to host",
        })
    }
}

#[derive(Debug)]
struct Flow {
    to: Destination,
    peer: AbortHandle,
}

#[derive(Debug)]
struct Listener {
    loopback: bool,
    accepted: mpsc::Sender<DuplexStream>,
}

#[derive(Debug, Default)]
struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Net {
    addresses: Vec<IpAddr>,
    policy: Mutex<ScopedPolicy>,
    flows: Mutex<Vec<Flow>>,
    listeners: Mutex<BTreeMap<u16, Listener>>,
    traffic: Arc<Traffic>,
}

impl Net {
    pub(super) fn new(addresses: Vec<IpAddr>, policy: ScopedPolicy) -> Self {
        Self {
            addresses,
            policy: Mutex::new(policy),
            flows: Mutex::default(),
            listeners: Mutex::default(),
            traffic: Arc::default(),
        }
    }

    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(super) fn traffic(&self) -> (u64, u64) {
        let Traffic { received, sent } = &*self.traffic;
        (
            received.load(Ordering::Relaxed),
            sent.load(Ordering::Relaxed),
        )
    }

    pub(super) fn close(&self) {
        self.listeners.locked().clear();
        for flow in self.flows.locked().drain(..) {
            flow.peer.abort();
        }
    }

    /// Connects to a listener of this sandbox.
    fn dial(&self, port: u16, from_outside: bool) -> Result<DuplexStream, NetError> {
        let listeners = self.listeners.locked();
        let listener = listeners.get(&port).ok_or(NetError::Refused)?;
        if from_outside && listener.loopback {
            return Err(NetError::Refused);
        }
        let (near, far) = duplex(BUFFER);
        listener
            .accepted
            .try_send(far)
            .map_err(|_| NetError::Refused)?;
        Ok(near)
    }
}

impl Kernel {
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.net.addresses
    }

    /// The policy in force.
    pub(crate) fn egress_rules(&self) -> EgressRules {
        self.net.policy.locked().rules.clone()
    }

    /// Replaces the policy and cuts every flow that the new one does not allow.
    pub(crate) fn set_egress(&self, rules: EgressRules) {
        let mut policy = self.net.policy.locked();
        policy.rules = rules;
        let ScopedPolicy {
            rules,
            environment,
            learned,
        } = &mut *policy;
        learned.retain_allowed(rules, environment);
        self.net.flows.locked().retain(|flow| {
            let keep = policy.decide(&flow.to).is_allowed();
            if !keep {
                flow.peer.abort();
            }
            keep && !flow.peer.is_finished()
        });
    }

    fn judge(&self, destination: &Destination) -> Result<Rule, NetError> {
        let mut policy = self.net.policy.locked();
        policy.learned.expire(self.world.time.now());
        let decision = policy.decide(destination);
        drop(policy);
        if decision.is_allowed() {
            return Ok(decision.rule);
        }
        self.world.announce(RuntimeEvent::EgressDenied {
            id: self.spec.id().clone(),
            count: 1,
        });
        Err(NetError::Denied)
    }

    /// Opens a TCP connection from inside the sandbox.
    pub(crate) fn open_tcp(&self, to: SocketAddr) -> Result<DuplexStream, NetError> {
        let destination = Destination::tcp(to);
        if self.judge(&destination)? == Rule::OwnLoopback {
            return self.net.dial(to.port(), false);
        }
        let address = to.ip().to_canonical();
        if let Some(neighbour) = self.world.network.member(address) {
            return neighbour.net.dial(to.port(), true);
        }
        let host = self.world.network.host(address);
        let host = host.ok_or(NetError::Unreachable)?;
        let service = host.tcp.get(&to.port()).cloned();
        let service = service.ok_or(NetError::Refused)?;
        let (near, far) = duplex(BUFFER);
        let traffic = Arc::clone(&self.net.traffic);
        let peer = tokio::spawn(service.serve(far, move |got, sent| {
            traffic.sent.fetch_add(got as u64, Ordering::Relaxed);
            traffic.received.fetch_add(sent as u64, Ordering::Relaxed);
        }));
        let mut flows = self.net.flows.locked();
        flows.retain(|flow| !flow.peer.is_finished());
        flows.push(Flow {
            to: destination,
            peer: peer.abort_handle(),
        });
        Ok(near)
    }

    /// Whether a datagram to `to` is answered.
    pub(crate) fn ask_udp(&self, to: SocketAddr) -> Result<(), NetError> {
        self.judge(&Destination::udp(to))?;
        let host = self.world.network.host(to.ip().to_canonical());
        let host = host.ok_or(NetError::Unreachable)?;
        let answers = host.udp.contains(&to.port());
        answers.then_some(()).ok_or(NetError::Refused)
    }

    /// Whether an echo request to `to` is answered.
    pub(crate) fn ping(&self, to: IpAddr) -> Result<(), NetError> {
        if self.judge(&Destination::icmp(to))? == Rule::OwnLoopback {
            return Ok(());
        }
        let to = to.to_canonical();
        let answers = match self.world.network.member(to) {
            Some(_) => true,
            None => self.world.network.host(to).is_some_and(|host| host.ping),
        };
        answers.then_some(()).ok_or(NetError::Unreachable)
    }

    /// The addresses of `name`.
    pub(crate) fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let destination = Destination::lookup(name).map_err(|_| NetError::Unreachable)?;
        let rule = self.judge(&destination)?;
        let Destination::Lookup(name) = destination else {
            return Err(NetError::Unreachable);
        };
        let found = self.world.network.resolve(name.as_str());
        if found.is_empty() {
            return Err(NetError::Unreachable);
        }
        if matches!(rule, Rule::AllowDomain { .. }) {
            let until = self.world.time.now().plus(TIME_TO_LIVE);
            let mut policy = self.net.policy.locked();
            let ScopedPolicy {
                environment,
                learned,
                ..
            } = &mut *policy;
            for address in &found {
                // An address that no name may open stays closed; the name still resolves.
                let _ = learned.learn(environment, &name, *address, until);
            }
        }
        Ok(found)
    }

    /// Listens on a port of this sandbox, of loopback alone or of every address.
    pub(crate) fn listen(
        &self,
        port: u16,
        loopback: bool,
    ) -> Result<mpsc::Receiver<DuplexStream>, NetError> {
        let mut listeners = self.net.listeners.locked();
        let taken = listeners
            .get(&port)
            .is_some_and(|listener| !listener.accepted.is_closed());
        if taken {
            return Err(NetError::Refused);
        }
        let (accepted, incoming) = mpsc::channel(BACKLOG);
        listeners.insert(port, Listener { loopback, accepted });
        Ok(incoming)
    }

    /// Connects from outside, past every policy.
    pub(crate) fn connect(&self, port: u16) -> Result<DuplexStream, NetError> {
        self.net.dial(port, false)
    }
}
