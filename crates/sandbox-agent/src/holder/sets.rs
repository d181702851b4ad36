//! The sets that rules look addresses and ports up in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv6Net};
use sandbox_core::Timestamp;
use sandbox_core::egress::{Environment, FilterRule, LearnedAddresses, Matcher, Transport};

use super::nft::batch::{Batch, Table};
use super::nft::interval::{Family, intervals};
use super::ruleset::key;

const LINK_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
const LINK_MULTICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0), 16);
/// Refused destinations of a family that are remembered at once; others are only counted.
const DENIED_KEPT: u32 = 128;
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// Adds a table's sets to a transaction, and knows their names.
#[derive(Debug)]
pub(super) struct Sets<'a> {
    batch: &'a mut Batch,
    table: Table,
}

impl<'a> Sets<'a> {
    pub(super) fn new(batch: &'a mut Batch, table: Table) -> Self {
        Self { batch, table }
    }

    pub(super) fn nets(index: usize, family: Family) -> String {
        format!("to{index}_{}", family.suffix())
    }

    pub(super) fn except(index: usize, family: Family) -> String {
        format!("not{index}_{}", family.suffix())
    }

    pub(super) fn ports(index: usize) -> String {
        format!("ports{index}")
    }

    pub(super) const fn learned_name(family: Family) -> &'static str {
        match family {
            Family::V4 => "learned4",
            Family::V6 => "learned6",
        }
    }

    /// Whether the environment says which addresses of `family` are the sandbox's own.
    pub(super) fn has_own(environment: &Environment, family: Family) -> bool {
        environment.own.iter().any(|own| key(*own).0 == family)
    }

    pub(super) fn for_rule(&mut self, index: usize, rule: &FilterRule) {
        if let Matcher::Nets { nets, except } = &rule.to {
            for family in Family::BOTH {
                self.unless_empty(&Self::nets(index, family), family, nets);
                self.unless_empty(&Self::except(index, family), family, except);
            }
        }
        if let Transport::Tcp(ports) = &rule.transport {
            let ports: Vec<_> = ports.iter().map(|port| port.to_be_bytes().into()).collect();
            self.batch
                .value_set(self.table, &Self::ports(index), 2, &ports);
        }
    }

    fn unless_empty(&mut self, name: &str, family: Family, nets: &[IpNet]) {
        let ranges = intervals(nets, family);
        if !ranges.is_empty() {
            self.batch.interval_set(self.table, name, family, &ranges);
        }
    }

    fn ranges(&mut self, name: &str, family: Family, nets: &[IpNet]) {
        let ranges = intervals(nets, family);
        self.batch.interval_set(self.table, name, family, &ranges);
    }

    /// The sets of learned addresses, with what is known already, for as long as it still counts at
    /// `now`.
    pub(super) fn learned(&mut self, learned: &LearnedAddresses, now: Timestamp) {
        // Twice what the policy keeps: those whose time ran out take room until they are collected.
        let size = u32::try_from(2 * LearnedAddresses::MAX).unwrap_or(u32::MAX);
        for family in Family::BOTH {
            let name = Self::learned_name(family);
            self.batch.timed_set(self.table, name, family.width(), size);
        }
        for family in Family::BOTH {
            let keys: Vec<(Vec<u8>, u64)> = learned
                .iter()
                .filter(|(_, _, end)| *end > now)
                .map(|(address, _, end)| (key(address), end.as_millis() - now.as_millis()))
                .filter(|((of, _), _)| *of == family)
                .map(|((_, key), milliseconds)| (key, milliseconds))
                .collect();
            let name = Self::learned_name(family);
            self.batch.timed_elements(self.table, name, &keys);
        }
    }

    pub(super) const fn denied_name(family: Family) -> &'static str {
        match family {
            Family::V4 => "denied4",
            Family::V6 => "denied6",
        }
    }

    /// The sets of destinations that were refused: address, transport and port, a word or more
    /// each.
    pub(super) fn denied(&mut self) {
        for family in Family::BOTH {
            let (name, width) = (Self::denied_name(family), family.width() + 8);
            self.batch.timed_set(self.table, name, width, DENIED_KEPT);
        }
    }

    /// Adds one learned address, or starts its time anew.
    pub(super) fn learn(&mut self, address: IpAddr, milliseconds: u64) {
        let (family, key) = key(address);
        let name = Self::learned_name(family);
        self.batch
            .timed_element(self.table, name, &key, milliseconds);
    }

    pub(super) fn neighbour_discovery(&mut self, environment: &Environment) {
        let on_link = environment.gateway.iter().chain(&environment.neighbours);
        let to: Vec<IpNet> = [LINK_LOCAL, LINK_MULTICAST]
            .map(IpNet::V6)
            .into_iter()
            .chain(on_link.copied())
            .collect();
        self.ranges("nd_to", Family::V6, &to);
        let sent = [
            ROUTER_SOLICITATION,
            NEIGHBOUR_SOLICITATION,
            NEIGHBOUR_ADVERTISEMENT,
        ];
        let types = |types: &[u8]| types.iter().map(|kind| vec![*kind]).collect::<Vec<_>>();
        self.batch
            .value_set(self.table, "nd_sent", 1, &types(&sent));
        // Router advertisements stay out: any neighbour could send them and move the sandbox's way
        // out.
        self.batch
            .value_set(self.table, "nd_received", 1, &types(&sent[1..]));
    }

    /// The sandbox's own addresses, for frames that claim to come from it.
    pub(super) fn own(&mut self, environment: &Environment) {
        let own = environment.own.iter().map(|own| own.to_canonical().into());
        let mut own: Vec<IpNet> = own.collect();
        own.push(LINK_LOCAL.into());
        // Duplicate address detection asks from the unspecified address.
        own.push(IpNet::from(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        self.ranges("own4", Family::V4, &own);
        self.ranges("own6", Family::V6, &own);
    }

    /// Whom the sandbox may resolve by ARP: anyone but the neighbours that are closed to it.
    pub(super) fn arp(&mut self, environment: &Environment, upstreams: &[SocketAddr]) {
        let upstreams = upstreams
            .iter()
            .map(|to| IpNet::from(to.ip().to_canonical()));
        let listed = environment.gateway.iter().chain(&environment.open).copied();
        let open: Vec<IpNet> = listed.chain(upstreams).collect();
        self.ranges("arp_open", Family::V4, &open);
        self.ranges("arp_closed", Family::V4, &environment.neighbours);
    }
}
