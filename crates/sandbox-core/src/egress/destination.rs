//! What a sandbox wants to reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::domain::DomainName;
use crate::Result;

/// A transport, with its destination port where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP to this port.
    Tcp(u16),
    /// UDP to this port.
    Udp(u16),
    /// ICMP or ICMPv6, whichever the address's family has.
    Icmp,
    /// Another IP protocol, by its number.
    Other(u8),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp/{port}"),
            Self::Udp(port) => write!(f, "udp/{port}"),
            Self::Icmp => f.write_str("icmp"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

/// Where a sandbox wants to go: an address over a protocol, or a name to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A connection, datagram or packet to this address.
    Address {
        /// The address as the program gave it, in any spelling.
        address: IpAddr,
        /// Transport and port.
        protocol: Protocol,
    },
    /// A lookup of this name, of whatever record type.
    Lookup(DomainName),
}

impl Destination {
    /// A TCP connection.
    pub fn tcp(to: impl Into<SocketAddr>) -> Self {
        let to = to.into();
        Self::address(to.ip(), Protocol::Tcp(to.port()))
    }

    /// A UDP datagram.
    pub fn udp(to: impl Into<SocketAddr>) -> Self {
        let to = to.into();
        Self::address(to.ip(), Protocol::Udp(to.port()))
    }

    /// An ICMP or ICMPv6 message such as an echo request.
    pub fn icmp(to: impl Into<IpAddr>) -> Self {
        Self::address(to.into(), Protocol::Icmp)
    }

    /// Anything to an address.
    pub fn address(address: IpAddr, protocol: Protocol) -> Self {
        Self::Address { address, protocol }
    }

    /// A name lookup.
    ///
    /// # Errors
    /// `InvalidSpec` as [`DomainName::parse`].
    pub fn lookup(name: &str) -> Result<Self> {
        Ok(Self::Lookup(DomainName::parse(name)?))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, protocol } => write!(f, "{address} {protocol}"),
            Self::Lookup(name) => write!(f, "lookup of {name}"),
        }
    }
}

/// NAT64 with the well-known prefix: the last 32 bits are the IPv4 address.
pub(super) const NAT64: Ipv6Net =
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// 6to4: bits 16 to 48 are the IPv4 address.
pub(super) const SIX_TO_FOUR: Ipv6Net =
    Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// An address and, where it is NAT64 or 6to4, the IPv4 address it reaches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spellings {
    /// As it goes over the wire: IPv4-mapped is IPv4.
    pub(super) wire: IpAddr,
    embedded: Option<Ipv4Addr>,
}

impl Spellings {
    pub(super) fn of(address: IpAddr) -> Self {
        let wire = address.to_canonical();
        let embedded = match wire {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => embedded_v4(v6),
        };
        Self { wire, embedded }
    }

    /// The address that allow lists are about.
    pub(super) fn reached(self) -> IpAddr {
        self.embedded.map_or(self.wire, IpAddr::V4)
    }

    /// Every spelling, for deny lists.
    pub(super) fn all(self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.wire).chain(self.embedded.map(IpAddr::V4))
    }
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    if NAT64.contains(&address) {
        Some(Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32))
    } else if SIX_TO_FOUR.contains(&address) {
        Some(Ipv4Addr::from_bits((bits >> 80 & 0xffff_ffff) as u32))
    } else {
        None
    }
}

/// The wire addresses that reach `net`: itself and, for IPv4, its NAT64 and 6to4 forms.
pub(super) fn wire_nets(net: Ipv4Net) -> [IpNet; 3] {
    let bits = u128::from(net.network().to_bits());
    // Prefix lengths of at most 32 + 96 always make a network.
    let nat64 = Ipv6Net::new_assert(
        Ipv6Addr::from_bits(NAT64.network().to_bits() | bits),
        96 + net.prefix_len(),
    );
    let six_to_four = Ipv6Net::new_assert(
        Ipv6Addr::from_bits(SIX_TO_FOUR.network().to_bits() | bits << 80),
        16 + net.prefix_len(),
    );
    [net.into(), nat64.into(), six_to_four.into()]
}
