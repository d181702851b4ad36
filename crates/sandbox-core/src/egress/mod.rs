//! What a sandbox may reach: the rules, the decision, and why.
//!
//! [`EgressRules`] is what a tenant writes. [`Environment`] is what the operator's machine adds:
//! the host, the gateway, the neighbours. [`ScopedPolicy`] is both together with the addresses
//! that allowed names resolved to, and [`EgressPolicy`] is the question every runtime asks.
//! [`PacketFilter`] is the same decision as an ordered list of matches for a kernel to carry out.
//!
//! # How a destination is judged
//!
//! The first line that applies decides:
//!
//! 1. the sandbox's own loopback and its own addresses are allowed, where the environment says that
//!    they are its own ([`Environment::own_loopback`]);
//! 2. protected addresses are denied in every mode, unless the environment opens them: link-local
//!    and metadata services, multicast and broadcast, reserved ranges, loopback that is not the
//!    sandbox's own, the host, the gateway, neighbouring sandboxes. Opening only lifts the
//!    protection: the lines below still decide;
//! 3. `deny_cidrs` deny;
//! 4. `allow_all` allows;
//! 5. `allow_cidrs` allow. With `allow_ports`, only TCP to those ports: UDP, ICMP and every other
//!    protocol are then denied there;
//! 6. addresses that a name matching `allow_domains` resolved to are allowed, on every port
//!    and protocol. Private addresses are never taken from a name (see
//!    [`Environment::may_learn`]);
//! 7. everything else is denied.
//!
//! ICMP and protocols without ports follow the address alone. A name lookup is a destination too:
//! allowed by `allow_all`, or by a match in `allow_domains`, and denied otherwise, because a
//! resolver is a way out.
//!
//! # One address, several spellings
//!
//! IPv4-mapped IPv6 (`::ffff:a.b.c.d`) is IPv4. NAT64 (`64:ff9b::/96`) and 6to4 (`2002::/16`)
//! addresses reach an IPv4 address, so they are denied when either spelling is, and allowed by a
//! CIDR only when the IPv4 address inside is. Tunnels whose inner address cannot be told (Teredo,
//! local NAT64 prefixes) and spellings that no public host uses (IPv4-compatible and IPv4-translated
//! addresses) are reserved ranges here.

mod decide;
mod destination;
mod domain;
mod environment;
mod explain;
mod filter;
mod interpret;
mod learned;
mod parse;
mod rules;

#[cfg(test)]
mod strategies;
#[cfg(test)]
mod tests;

pub use decide::{Decision, EgressPolicy, Rule, ScopedPolicy, Verdict};
pub use destination::{Destination, Protocol};
pub use domain::{DomainName, DomainPattern};
pub use environment::{Environment, Protection};
pub use explain::Explanation;
pub use filter::{FilterClass, FilterRule, Matcher, PacketFilter, Transport};
pub use interpret::Packet;
pub use learned::LearnedAddresses;
pub use parse::RawEgressRules;
pub use rules::{EgressMode, EgressRules};
