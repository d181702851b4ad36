//! The ports of a sandbox: who is bound where.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};

use super::inbox::Inbox;
use super::listener::Listener;
use super::network::Network;
use crate::kernel::{Errno, Result};
use crate::lock::Lock;

/// Ports given to who asks for none, as Linux has them.
const FIRST: u16 = 32_768;
const LAST: u16 = 60_999;

/// The ports of one sandbox.
#[derive(Debug, Default)]
pub(super) struct Ports {
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    tcp: Table<Listener>,
    udp: Table<Inbox>,
    /// Counts what is bound, so that each binding is told from those before it.
    bound: u64,
    /// Counts the ports given.
    given: u16,
}

#[derive(Debug)]
struct Table<T>(BTreeMap<u16, Vec<Entry<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[derive(Debug)]
struct Entry<T> {
    number: u64,
    ip: IpAddr,
    /// Nobody, as long as it is only bound.
    target: Weak<T>,
}

/// The two kinds of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Udp,
}

/// A port that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Bound {
    network: Arc<Network>,
    kind: Kind,
    number: u64,
    address: SocketAddr,
}

impl Bound {
    /// Takes the port of `address`; port 0 is any.
    ///
    /// # Errors
    /// `ADDRNOTAVAIL` for an address that is not the sandbox's, `ADDRINUSE` when the port is taken,
    /// or all are.
    pub(super) fn take(network: &Arc<Network>, kind: Kind, address: SocketAddr) -> Result<Self> {
        let ip = address.ip();
        if !ip.is_loopback() && !ip.is_unspecified() {
            return Err(Errno::ADDRNOTAVAIL);
        }
        let mut state = network.ports().state.lock();
        let port = match address.port() {
            0 => state.free(kind, ip)?,
            port if state.is_taken(kind, ip, port) => return Err(Errno::ADDRINUSE),
            port => port,
        };
        state.bound += 1;
        let number = state.bound;
        match kind {
            Kind::Tcp => state.tcp.add(port, number, ip),
            Kind::Udp => state.udp.add(port, number, ip),
        }
        drop(state);
        Ok(Self {
            network: Arc::clone(network),
            kind,
            number,
            address: SocketAddr::new(ip, port),
        })
    }

    /// Where it is bound.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends who connects there to `listener`.
    ///
    /// # Errors
    /// `ADDRINUSE` when somebody else listens there.
    pub(super) fn listen(&self, listener: &Arc<Listener>) {
        let mut state = self.network.ports().state.lock();
        state.tcp.point(self.address.port(), self.number, listener);
    }

    /// Sends datagrams there to `inbox`.
    pub(super) fn receive(&self, inbox: &Arc<Inbox>) {
        let mut state = self.network.ports().state.lock();
        state.udp.point(self.address.port(), self.number, inbox);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let mut state = self.network.ports().state.lock();
        let port = self.address.port();
        match self.kind {
            Kind::Tcp => state.tcp.remove(port, self.number),
            Kind::Udp => state.udp.remove(port, self.number),
        }
    }
}

impl Ports {
    /// Who listens where a connection to `address` goes.
    pub(super) fn listener(&self, address: SocketAddr) -> Option<Arc<Listener>> {
        self.state.lock().tcp.find(address)
    }

    /// Who listens on `port` of any address: 127.0.0.1 first, then ::1.
    pub(super) fn any_listener(&self, port: u16) -> Option<(SocketAddr, Arc<Listener>)> {
        let state = self.state.lock();
        let entries = state.tcp.0.get(&port)?;
        let preferred = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ];
        let others = entries.iter().map(|entry| entry.ip);
        let mut addresses = preferred
            .into_iter()
            .chain(others)
            .map(|ip| SocketAddr::new(ip, port));
        addresses.find_map(|address| Some((address, state.tcp.find(address)?)))
    }

    /// Who receives datagrams to `address`.
    pub(super) fn inbox(&self, address: SocketAddr) -> Option<Arc<Inbox>> {
        self.state.lock().udp.find(address)
    }

    /// A port for a connection to come from. It is not taken: connections are told apart by both
    /// of their ends.
    pub(super) fn source(&self) -> u16 {
        self.state.lock().next()
    }
}

impl State {
    fn next(&mut self) -> u16 {
        let port = FIRST + self.given;
        self.given = (self.given + 1) % (LAST - FIRST + 1);
        port
    }

    fn free(&mut self, kind: Kind, ip: IpAddr) -> Result<u16> {
        for _ in FIRST..=LAST {
            let port = self.next();
            if !self.is_taken(kind, ip, port) {
                return Ok(port);
            }
        }
        Err(Errno::ADDRINUSE)
    }

    fn is_taken(&self, kind: Kind, ip: IpAddr, port: u16) -> bool {
        match kind {
            Kind::Tcp => self.tcp.is_taken(ip, port),
            Kind::Udp => self.udp.is_taken(ip, port),
        }
    }
}

impl<T> Table<T> {
    fn add(&mut self, port: u16, number: u64, ip: IpAddr) {
        let target = Weak::new();
        let entry = Entry { number, ip, target };
        self.0.entry(port).or_default().push(entry);
    }

    fn remove(&mut self, port: u16, number: u64) {
        if let Some(entries) = self.0.get_mut(&port) {
            entries.retain(|entry| entry.number != number);
            if entries.is_empty() {
                self.0.remove(&port);
            }
        }
    }

    fn point(&mut self, port: u16, number: u64, target: &Arc<T>) {
        let entries = self.0.get_mut(&port).into_iter().flatten();
        for entry in entries.filter(|entry| entry.number == number) {
            entry.target = Arc::downgrade(target);
        }
    }

    fn is_taken(&self, ip: IpAddr, port: u16) -> bool {
        let entries = self.0.get(&port).into_iter().flatten();
        let mut taken = entries.map(|entry| entry.ip);
        taken.any(|taken| covers(taken, ip) || covers(ip, taken))
    }

    /// The most exact one that covers `address`.
    fn find(&self, address: SocketAddr) -> Option<Arc<T>> {
        let entries = self.0.get(&address.port())?;
        let exact = entries.iter().filter(|entry| entry.ip == address.ip());
        let covering = entries
            .iter()
            .filter(|entry| covers(entry.ip, address.ip()));
        exact
            .chain(covering)
            .find_map(|entry| entry.target.upgrade())
    }
}

/// Whether what is bound to `bound` gets what goes to `ip`. The unspecified address of IPv6 stands
/// for both families, as it does on Linux.
fn covers(bound: IpAddr, ip: IpAddr) -> bool {
    match bound {
        IpAddr::V4(v4) if v4.is_unspecified() => ip.is_ipv4(),
        IpAddr::V6(v6) if v6.is_unspecified() => true,
        bound => bound == ip,
    }
}
