//! Packets that are judged by what they are, not by where they go.

use super::super::nft::expression::{Base, End, Rule};
use super::super::nft::interval::Family;
use super::{ICMPV6, Side, transport};

/// Neighbour discovery, which only a direct neighbour can have sent (hop limit 255).
pub(super) fn discovery(side: Side, types: &str) -> Rule {
    transport(side.family(Rule::new(), Family::V6), ICMPV6)
        .load(Base::Network, 7, 1)
        .equals(&[255])
        .load(Base::Transport, 0, 1)
        .in_set(types)
}

/// The kernel tells routers which multicast groups it is in, on its own account: dropped, but
/// not counted as something the sandbox tried.
pub(super) fn group_reports(side: Side) -> [Rule; 2] {
    const IGMP: u8 = 2;
    const MLD_REPORT: u8 = 143;
    let igmp = transport(side.family(Rule::new(), Family::V4), IGMP);
    let mld = transport(side.family(Rule::new(), Family::V6), ICMPV6)
        .load(Base::Transport, 0, 1)
        .equals(&[MLD_REPORT]);
    [igmp, mld].map(|rule| rule.end(End::Drop))
}

/// IPv4 options and IPv6 routing headers can send a packet on to somewhere its
/// destination address does not tell.
pub(super) fn source_routes(side: Side) -> [Rule; 2] {
    const ROUTING_HEADER: u8 = 43;
    let counter = match side {
        Side::Output | Side::Input => "output_source_route",
        Side::Link => "link_source_route",
    };
    let options = side
        .family(Rule::new(), Family::V4)
        .load(Base::Network, 0, 1)
        .mask(&[0x0f])
        .differs(&[5]);
    let routing = side
        .family(Rule::new(), Family::V6)
        .has_extension(ROUTING_HEADER);
    [options, routing].map(|rule| rule.count(counter).end(End::Drop))
}
