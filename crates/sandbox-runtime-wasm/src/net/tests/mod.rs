//! The network as a guest's calls see it: sockets of a sandbox, polled by the tests' own tasks.

mod lookups;
mod loopback;
mod outside;
mod policy;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::egress::{DomainName, EgressRules, Environment};

use super::hub::Hub;
use super::network::Network;
use super::resolver::{ResolveError, Resolver};
use super::socket::{Socket, SocketKind};
use super::surroundings::Surroundings;
use super::{Family, NetworkConfig};
use crate::kernel::{Account, Result};
use crate::lock::Lock;

/// How long what should happen soon may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place that says of itself what the test wants.
#[derive(Debug, Default)]
struct Place {
    environment: Lock<Option<Arc<Environment>>>,
    /// Addresses that routes show to be the host's, though nothing lists them.
    unlisted: Vec<IpAddr>,
}

impl Place {
    fn plain() -> Self {
        Self::with(Environment::default())
    }

    fn with(environment: Environment) -> Self {
        Self {
            environment: Lock::new(Some(Arc::new(environment))),
            unlisted: Vec::new(),
        }
    }
}

impl Surroundings for Place {
    fn environment(&self) -> Option<Arc<Environment>> {
        self.environment.lock().clone()
    }

    fn is_host(&self, address: IpAddr) -> std::io::Result<bool> {
        Ok(self.unlisted.contains(&address))
    }
}

/// Answers from a list; counts what it is asked.
#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<&'static str, Vec<IpAddr>>,
    asked: AtomicU64,
}

impl Names {
    fn of(known: &[(&'static str, &[&str])]) -> Self {
        let parse = |addresses: &[&str]| addresses.iter().map(|text| ip(text)).collect();
        let known = known.iter().map(|(name, list)| (*name, parse(list)));
        Self {
            known: known.collect(),
            asked: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.known.get(name.as_str()).cloned();
        found.ok_or(ResolveError::NotFound)
    }
}

/// One sandbox's network and what it told of refusals.
struct Bench {
    network: Arc<Network>,
    account: Arc<Account>,
    denied: Arc<AtomicU64>,
}

impl Bench {
    fn new(rules: EgressRules) -> Self {
        Self::in_hub(hub(Place::plain(), Names::default()), rules)
    }

    fn in_hub(hub: Hub, rules: EgressRules) -> Self {
        Self::on(&Arc::new(hub), 4096, Some(rules))
    }

    fn on(hub: &Arc<Hub>, open_files: u32, rules: Option<EgressRules>) -> Self {
        let denied = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&denied);
        let sink = move |count| {
            told.fetch_add(count, Ordering::Relaxed);
        };
        let network = Network::new(Arc::clone(hub), open_files, Box::new(sink));
        network.set_egress(rules.as_ref());
        Self {
            network,
            account: Account::new(64 << 20),
            denied,
        }
    }

    fn socket(&self, family: Family, kind: SocketKind) -> Result<Arc<Socket>> {
        Socket::open(&self.network, &self.account, family, kind)
    }

    fn tcp(&self, family: Family) -> Arc<Socket> {
        self.socket(family, SocketKind::Stream).unwrap()
    }

    fn udp(&self, family: Family) -> Arc<Socket> {
        self.socket(family, SocketKind::Datagram).unwrap()
    }

    /// A listener at `address`.
    fn listen(&self, address: &str, backlog: u32) -> Arc<Socket> {
        let address = at(address);
        let socket = self.tcp(Family::of(address.ip()));
        socket.bind(address).unwrap();
        socket.listen(backlog).unwrap();
        socket
    }

    async fn connect(&self, address: &str) -> Result<Arc<Socket>> {
        let address = at(address);
        let socket = self.tcp(Family::of(address.ip()));
        connect(&socket, address).await?;
        Ok(socket)
    }

    /// Refusals told so far; waits until there are `count`.
    async fn denied(&self, count: u64) {
        let told = async {
            while self.denied.load(Ordering::Relaxed) < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(told).await;
        assert_eq!(self.denied.load(Ordering::Relaxed), count);
    }
}

fn hub(place: Place, names: Names) -> Hub {
    let config = NetworkConfig {
        resolver: Arc::new(names),
        ..NetworkConfig::default()
    };
    Hub::around(config, Arc::new(place))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What happens within the test's patience.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.expect("it should have happened long ago")
}

async fn connect(socket: &Socket, to: SocketAddr) -> Result<()> {
    if socket.connect(Some(to))? {
        return Ok(());
    }
    soon(poll_fn(|cx| socket.poll_connected(cx))).await
}

async fn accept(listener: &Socket) -> Result<Arc<Socket>> {
    let accepted = soon(poll_fn(|cx| listener.poll_accept(cx))).await;
    accepted.map(|(socket, _)| socket)
}

async fn receive(socket: &Socket) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    let received = soon(poll_fn(|cx| socket.poll_receive(cx, &mut bytes, false))).await?;
    bytes.truncate(received.count);
    Ok(bytes)
}

/// Everything until the end.
async fn drain(socket: &Socket) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let bytes = receive(socket).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend(bytes);
    }
}

async fn send(socket: &Socket, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let sent = soon(poll_fn(|cx| socket.poll_send(cx, bytes, None))).await?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

async fn send_to(socket: &Socket, bytes: &[u8], to: SocketAddr) -> Result<usize> {
    soon(poll_fn(|cx| socket.poll_send(cx, bytes, Some(to)))).await
}
