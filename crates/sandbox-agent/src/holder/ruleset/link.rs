//! Frames on their way out of an interface.
//!
//! There is no connection tracking here, and none is needed: nothing comes in but
//! answers, so every frame belongs to a connection that the sandbox opened, and its destination
//! alone decides.
//!
//! A packet socket chooses what the kernel believes a frame's protocol to be, apart from the bytes
//! it sends. Both must agree, or an IPv4 frame could pass as ARP.

use super::super::nft::batch::{Batch, Hook};
use super::super::nft::expression::{Base, End, Meta, Rule};
use super::super::nft::interval::Family;
use super::super::sets::Sets;
use super::{CLASSES, ICMPV6, NETDEV, Plan, Side, transport};

pub(super) const IPV4: [u8; 2] = [0x08, 0x00];
pub(super) const IPV6: [u8; 2] = [0x86, 0xdd];
const ARP: [u8; 2] = [0x08, 0x06];
const CHAIN: &str = "egress";

impl Plan<'_> {
    pub(super) fn link(&self, batch: &mut Batch) {
        batch.replace_table(NETDEV);
        self.sets(batch, NETDEV);
        for class in CLASSES {
            batch.counter(NETDEV, &Side::Link.counter(class));
        }
        for name in [
            "link_source_route",
            "link_arp",
            "link_frame",
            "link_spoofed",
            "link_advertisement",
        ] {
            batch.counter(NETDEV, name);
        }
        let hook = Hook {
            number: 1,
            priority: 0,
            devices: self.devices,
        };
        batch.chain(NETDEV, CHAIN, Some(hook));
        self.arp(batch);
        for rule in frames() {
            batch.rule(NETDEV, CHAIN, rule);
        }
        for family in Family::BOTH {
            if Sets::has_own(self.environment, family) {
                batch.rule(NETDEV, CHAIN, spoofed(family));
            }
        }
        if Sets::has_own(self.environment, Family::V6) {
            batch.rule(NETDEV, CHAIN, foreign_advertisement());
        }
        self.common_out(batch, Side::Link);
    }

    /// Address resolution under the sandbox's own address, for whom it may reach: neighbours
    /// are not asked for, and cannot be told lies.
    fn arp(&self, batch: &mut Batch) {
        let deny = |rule: Rule| rule.count("link_arp").end(End::Drop);
        let mut rule = |rule| batch.rule(NETDEV, CHAIN, rule);
        rule(deny(
            arp().load(Base::Network, 0, 6).differs(&[0, 1, 8, 0, 6, 4]),
        ));
        if Sets::has_own(self.environment, Family::V4) {
            let foreign = arp().load(Base::Network, 14, 4).not_in_set("own4");
            rule(deny(foreign));
        }
        let target = || arp().load(Base::Network, 24, 4);
        rule(target().in_set("arp_open").end(End::Accept));
        rule(deny(target().in_set("arp_closed")));
        rule(arp().end(End::Accept));
    }
}

fn arp() -> Rule {
    Rule::new()
        .load_meta(Meta::Protocol)
        .equals(&ARP)
        .load(Base::Link, 12, 2)
        .equals(&ARP)
}

/// Only IPv4 and IPv6 frames whose bytes say so go on.
fn frames() -> [Rule; 3] {
    let lying = |protocol: [u8; 2]| {
        Rule::new()
            .load_meta(Meta::Protocol)
            .equals(&protocol)
            .load(Base::Link, 12, 2)
            .differs(&protocol)
    };
    let other = Rule::new()
        .load_meta(Meta::Protocol)
        .differs(&IPV4)
        .differs(&IPV6);
    [lying(IPV4), lying(IPV6), other].map(|rule| rule.count("link_frame").end(End::Drop))
}

/// A neighbour advertisement of an address that is not the sandbox's: neighbours and the gateway
/// would believe it, as they would a lie over ARP.
fn foreign_advertisement() -> Rule {
    const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    transport(Side::Link.family(Rule::new(), Family::V6), ICMPV6)
        .load(Base::Transport, 0, 1)
        .equals(&[NEIGHBOUR_ADVERTISEMENT])
        .load(Base::Transport, 8, 16)
        .not_in_set("own6")
        .count("link_advertisement")
        .end(End::Drop)
}

/// Packets from an address that is not the sandbox's.
fn spoofed(family: Family) -> Rule {
    let rule = Side::Link.family(Rule::new(), family);
    let rule = match family {
        Family::V4 => rule.load(Base::Network, 12, 4).not_in_set("own4"),
        Family::V6 => rule.load(Base::Network, 8, 16).not_in_set("own6"),
    };
    rule.count("link_spoofed").end(End::Drop)
}
