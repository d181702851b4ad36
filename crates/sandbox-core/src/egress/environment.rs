//! What surrounds a sandbox and is protected from it whatever its rules say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::destination::Spellings;
use super::parse::{deserialize_nets, unmap_net};

/// Why an address is denied in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Loopback that is not the sandbox's own: the host's.
    Loopback,
    /// A cloud's instance metadata or platform service.
    Metadata,
    /// Link-local, where metadata services and routers live.
    LinkLocal,
    /// Multicast: it reaches every neighbour at once.
    Multicast,
    /// Broadcast, unspecified and reserved ranges, and tunnels whose inner address cannot be told.
    Reserved,
    /// An address of the machine that runs the sandbox.
    Host,
    /// The sandbox's way out, which is usually the host as well.
    Gateway,
    /// Another sandbox.
    Neighbour,
}

impl Protection {
    /// What the address is, in words that follow "is".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "the host's loopback",
            Self::Metadata => "a cloud metadata service",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Reserved => "in a reserved range",
            Self::Host => "the host",
            Self::Gateway => "the gateway",
            Self::Neighbour => "a neighbouring sandbox's",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a runtime knows about the place a sandbox runs in. The default knows nothing and protects
/// what every machine has.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Whether 127.0.0.0/8 and ::1 are the sandbox's own (a network namespace, a kernel inside the
    /// process). False by default: then they are the host's and denied.
    pub own_loopback: bool,
    /// The sandbox's own addresses, which reach itself. Looked at only with `own_loopback`.
    pub own: Vec<IpAddr>,
    /// Addresses of the machine that runs it.
    #[serde(deserialize_with = "deserialize_nets")]
    pub host: Vec<IpNet>,
    /// The sandbox's gateways.
    #[serde(deserialize_with = "deserialize_nets")]
    pub gateway: Vec<IpNet>,
    /// Where other sandboxes are, usually the whole subnet.
    #[serde(deserialize_with = "deserialize_nets")]
    pub neighbours: Vec<IpNet>,
    /// Exceptions from every protection, the built-in ones too. Opening an address does not allow
    /// it: the rules still decide.
    #[serde(deserialize_with = "deserialize_nets")]
    pub open: Vec<IpNet>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(head: [u16; 4], tail: [u16; 4], prefix: u8) -> IpNet {
    let [a, b, c, d] = head;
    let [e, f, g, h] = tail;
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, c, d, e, f, g, h),
        prefix,
    ))
}

/// Protected on every machine.
const EVERYWHERE: &[(IpNet, Protection)] = &[
    (v4(127, 0, 0, 0, 8), Protection::Loopback),
    (v6([0; 4], [0, 0, 0, 1], 128), Protection::Loopback),
    (v4(169, 254, 0, 0, 16), Protection::LinkLocal),
    (v6([0xfe80, 0, 0, 0], [0; 4], 10), Protection::LinkLocal),
    // Azure, Alibaba Cloud, Oracle Cloud; then AWS, Google Cloud and Oracle Cloud over IPv6.
    (v4(168, 63, 129, 16, 32), Protection::Metadata),
    (v4(100, 100, 100, 200, 32), Protection::Metadata),
    (v4(192, 0, 0, 192, 32), Protection::Metadata),
    (v6([0xfd00, 0xec2, 0, 0], [0; 4], 32), Protection::Metadata),
    (
        v6([0xfd20, 0xce, 0, 0], [0, 0, 0, 0x254], 128),
        Protection::Metadata,
    ),
    (
        v6([0xfd00, 0xc1, 0, 0], [0, 0, 0xa9fe, 0xa9fe], 128),
        Protection::Metadata,
    ),
    (v4(224, 0, 0, 0, 4), Protection::Multicast),
    (v6([0xff00, 0, 0, 0], [0; 4], 8), Protection::Multicast),
    (v4(0, 0, 0, 0, 8), Protection::Reserved),
    // Class E, with the limited broadcast address.
    (v4(240, 0, 0, 0, 4), Protection::Reserved),
    // Unspecified and IPv4-compatible; IPv4-translated (SIIT); Teredo; NAT64 for local use;
    // site-local.
    (v6([0; 4], [0; 4], 96), Protection::Reserved),
    (v6([0; 4], [0xffff, 0, 0, 0], 96), Protection::Reserved),
    (v6([0x2001, 0, 0, 0], [0; 4], 32), Protection::Reserved),
    (v6([0x64, 0xff9b, 1, 0], [0; 4], 48), Protection::Reserved),
    (v6([0xfec0, 0, 0, 0], [0; 4], 10), Protection::Reserved),
];

/// Ranges that no public name has a reason to resolve to.
const PRIVATE: &[IpNet] = &[
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10),
    v6([0xfc00, 0, 0, 0], [0; 4], 7),
];

impl Environment {
    /// A place with a network stack of its own, such as a network namespace.
    pub fn namespace() -> Self {
        Self {
            own_loopback: true,
            ..Self::default()
        }
    }

    /// Everything protected here, in the order in which it is looked at, before
    /// [`open`](Self::open) makes its exceptions.
    pub fn protected(&self) -> impl Iterator<Item = (IpNet, Protection)> + '_ {
        let listed = [
            (&self.host, Protection::Host),
            (&self.gateway, Protection::Gateway),
            (&self.neighbours, Protection::Neighbour),
        ];
        let listed = listed.into_iter().flat_map(|(nets, why)| {
            // A mapped range set by hand is the IPv4 range, as it is everywhere else.
            nets.iter().map(move |net| (unmap_net(*net), why))
        });
        EVERYWHERE.iter().copied().chain(listed)
    }

    /// The protection that applies to `address` in any of its spellings, with the range it is in.
    pub fn protection(&self, address: IpAddr) -> Option<(IpNet, Protection)> {
        Spellings::of(address).all().find_map(|spelling| {
            let opened = contains(&self.open, spelling);
            self.protected()
                .find(|(net, _)| !opened && net.contains(&spelling))
        })
    }

    /// Whether `address` is the sandbox itself.
    pub fn is_own(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let own = |own: &IpAddr| own.to_canonical() == address;
        self.own_loopback && (address.is_loopback() || self.own.iter().any(own))
    }

    /// Whether an address that an allowed name resolved to may be opened for it: neither protected
    /// nor private (RFC 1918, shared address space, unique local), unless opened. Otherwise
    /// whoever owns the name could point it at the operator's network.
    pub fn may_learn(&self, address: IpAddr) -> bool {
        !self.is_own(address)
            && self.protection(address).is_none()
            && Spellings::of(address)
                .all()
                .all(|spelling| contains(&self.open, spelling) || !contains(PRIVATE, spelling))
    }
}

fn contains(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}
