//! From a policy to one nf_tables transaction.
//!
//! Two tables. `inet sandbox` judges what programs send (and answers a refusal so that they learn
//! of it at once), lets in only answers to what is still allowed, and forwards nothing. `netdev
//! sandbox` judges frames on their way to each interface, which is the one place that packet
//! sockets cannot walk past.
//!
//! Every packet is judged, in its connection's original direction and again for each
//! answer that comes back: no "established" short cut, so that a new policy cuts open connections
//! it does not allow. New connections from outside are dropped; the sandbox is reached through
//! its agent.

use std::net::{IpAddr, SocketAddr};

use sandbox_core::Timestamp;
use sandbox_core::egress::{
    Environment, FilterClass, FilterRule, LearnedAddresses, Matcher, PacketFilter, Transport,
    Verdict,
};

use super::nft::batch::{Batch, Hook, Table};
use super::nft::expression::{Base, ESTABLISHED, End, Meta, RELATED, Rule};
use super::nft::interval::{Family, intervals};
use super::sets::Sets;
use special::{discovery, group_reports, source_routes};

mod link;
mod special;

/// Judges programs' packets, by the IP stack's hooks.
pub(super) const INET: Table = Table {
    family: 1,
    name: "sandbox",
};
/// Judges frames, by the interfaces' egress hooks.
pub(super) const NETDEV: Table = Table {
    family: 5,
    name: "sandbox",
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Docker's resolver, which lives on this loopback in user-defined networks and would resolve any
/// name for the sandbox.
const EMBEDDED_RESOLVER: [u8; 4] = [127, 0, 0, 11];

const REMEMBER: &str = "remember";
/// Goes off with a refused packet.
pub(super) const ALARM: &str = "alarm";

const CLASSES: [FilterClass; 8] = [
    FilterClass::OwnLoopback,
    FilterClass::MappedOnWire,
    FilterClass::Protected,
    FilterClass::DenyCidrs,
    FilterClass::AllowAll,
    FilterClass::AllowCidrs,
    FilterClass::AllowDomains,
    FilterClass::Default,
];

/// What this kernel can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Features {
    /// Egress hooks on interfaces: without them packet sockets (CAP_NET_RAW) walk past the policy.
    pub(super) link: bool,
    /// Refusals are answered; without it they are dropped and programs wait for a timeout.
    pub(super) reject: bool,
    /// A refusal sets off an alarm; without it only the counts tell.
    pub(super) alarm: bool,
}

/// Everything a transaction is made from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) filter: &'a PacketFilter,
    pub(super) environment: &'a Environment,
    pub(super) learned: &'a LearnedAddresses,
    /// The time that the ends of learned addresses are measured from.
    pub(super) now: Timestamp,
    pub(super) upstreams: &'a [SocketAddr],
    /// What the resolver's own packets carry.
    pub(super) mark: u32,
    /// The interfaces but loopback.
    pub(super) devices: &'a [String],
    pub(super) features: Features,
}

impl Plan<'_> {
    /// The transaction that puts this plan in the place of whatever is loaded.
    pub(super) fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        self.inet(&mut batch);
        if self.features.link && !self.devices.is_empty() {
            self.link(&mut batch);
        }
        batch
    }

    fn inet(&self, batch: &mut Batch) {
        batch.replace_table(INET);
        self.sets(batch, INET);
        for class in CLASSES {
            batch.counter(INET, &Side::Output.counter(class));
            batch.counter(INET, &Side::Input.counter(class));
        }
        for name in [
            "output_resolver",
            "output_source_route",
            "input_unsolicited",
            "input_forged",
        ] {
            batch.counter(INET, name);
        }
        if self.features.alarm {
            batch.alarm(INET, ALARM);
        }
        self.remembering(batch);
        self.refusals(batch);
        for (chain, number) in [("input", 1), ("forward", 2), ("output", 3)] {
            let hook = Hook {
                number,
                priority: 0,
                devices: &[],
            };
            batch.chain(INET, chain, Some(hook));
        }
        batch.chain(INET, "answers", None);
        self.output(batch);
        self.input(batch);
    }

    /// Sets are a table's own, so each table gets them all.
    fn sets(&self, batch: &mut Batch, table: Table) {
        let mut sets = Sets::new(batch, table);
        for (index, rule) in self.filter.rules().iter().enumerate() {
            sets.for_rule(index, rule);
        }
        sets.learned(self.learned, self.now);
        sets.neighbour_discovery(self.environment);
        sets.own(self.environment);
        sets.arp(self.environment, self.upstreams);
    }

    /// Notes where a refused packet wanted to go. A full set ends a rule, not the verdict.
    fn remembering(&self, batch: &mut Batch) {
        const MILLIS: u64 = 3_600_000;
        Sets::new(batch, INET).denied();
        batch.chain(INET, REMEMBER, None);
        for family in Family::BOTH {
            let set = Sets::denied_name(family);
            let address = match family {
                Family::V4 => (16, 4),
                Family::V6 => (24, 16),
            };
            let rule = || Side::Output.family(Rule::new(), family);
            for protocol in [TCP, UDP] {
                let rule = transport(rule(), protocol).remember(set, address, true, MILLIS);
                batch.rule(INET, REMEMBER, rule);
            }
            let other = rule().load_meta(Meta::Transport);
            let other = other.differs(&[TCP]).differs(&[UDP]);
            batch.rule(INET, REMEMBER, other.remember(set, address, false, MILLIS));
        }
    }

    /// One chain per class: count, then tell the program.
    fn refusals(&self, batch: &mut Batch) {
        for class in CLASSES {
            let chain = refusal(class);
            batch.chain(INET, &chain, None);
            let count = Rule::new().count(&Side::Output.counter(class));
            batch.rule(INET, &chain, count);
            batch.rule(INET, &chain, Rule::new().end(End::Jump(REMEMBER)));
            if self.features.alarm {
                batch.rule(INET, &chain, Rule::new().set_off(ALARM));
            }
            if self.features.reject {
                let reset = transport(Rule::new(), TCP).end(End::Reset);
                batch.rule(INET, &chain, reset);
                batch.rule(INET, &chain, Rule::new().end(End::Prohibited));
            } else {
                batch.rule(INET, &chain, Rule::new().end(End::Drop));
            }
        }
    }

    fn output(&self, batch: &mut Batch) {
        let side = Side::Output;
        let rule = side
            .family(named(Meta::OutputName, "lo"), Family::V4)
            .load(Base::Network, 16, 4)
            .equals(&EMBEDDED_RESOLVER)
            .load_meta(Meta::Mark)
            .differs(&self.mark.to_ne_bytes())
            .count("output_resolver")
            .end(End::Drop);
        batch.rule(INET, "output", rule);
        let loopback = named(Meta::OutputName, "lo").end(End::Accept);
        batch.rule(INET, "output", loopback);
        self.common_out(batch, side);
    }

    /// What holds for programs' packets and for frames alike.
    fn common_out(&self, batch: &mut Batch, side: Side) {
        let (table, chain) = side.place();
        for rule in group_reports(side).into_iter().chain(source_routes(side)) {
            batch.rule(table, chain, rule);
        }
        self.upstream_rules(batch, side);
        let discovery = discovery(side, "nd_sent")
            .load(Base::Network, 24, 16)
            .in_set("nd_to");
        batch.rule(table, chain, discovery.end(End::Accept));
        self.filter_rules(batch, side);
    }

    fn input(&self, batch: &mut Batch) {
        self.forged_answers(batch);
        let rule = |batch: &mut Batch, rule| batch.rule(INET, "input", rule);
        rule(batch, named(Meta::InputName, "lo").end(End::Accept));
        rule(
            batch,
            discovery(Side::Input, "nd_received").end(End::Accept),
        );
        let answers = Rule::new().replying(ESTABLISHED | RELATED);
        rule(batch, answers.end(End::Jump("answers")));
        let unsolicited = Rule::new().count("input_unsolicited").end(End::Drop);
        rule(batch, unsolicited);
        self.upstream_rules(batch, Side::Input);
        // Errors about a connection come from any router on its way.
        for protocol in [ICMP, ICMPV6] {
            let errors = transport(Rule::new().replying(RELATED), protocol);
            batch.rule(INET, "answers", errors.end(End::Accept));
        }
        self.filter_rules(batch, Side::Input);
    }

    /// Answers in an upstream resolver's name that the sandbox sent itself: IPv6 lets anyone send
    /// from any address, and what a forged answer says would be open. An upstream on loopback
    /// does answer there, but only what was asked.
    fn forged_answers(&self, batch: &mut Batch) {
        let side = Side::Input;
        for upstream in self.upstreams {
            let (family, address) = key(upstream.ip());
            for protocol in [UDP, TCP] {
                let rule = side.family(named(Meta::InputName, "lo"), family);
                let rule = side.address(rule, family).equals(&address);
                let rule = side.port(transport(rule, protocol));
                let mut rule = rule.equals(&upstream.port().to_be_bytes());
                if upstream.ip().to_canonical().is_loopback() {
                    rule = rule.opening();
                }
                let rule = rule.count("input_forged").end(End::Drop);
                batch.rule(INET, "input", rule);
            }
        }
    }

    /// The resolver's own traffic: what the sandbox sends does not carry the mark.
    fn upstream_rules(&self, batch: &mut Batch, side: Side) {
        let (table, chain) = side.place();
        for upstream in self.upstreams {
            let (family, address) = key(upstream.ip());
            for protocol in [UDP, TCP] {
                let mut rule = side.family(Rule::new(), family);
                if side != Side::Input {
                    rule = rule.load_meta(Meta::Mark).equals(&self.mark.to_ne_bytes());
                }
                rule = side.address(rule, family).equals(&address);
                rule = side.port(transport(rule, protocol));
                let rule = rule.equals(&upstream.port().to_be_bytes()).end(End::Accept);
                batch.rule(table, chain, rule);
            }
        }
    }

    fn filter_rules(&self, batch: &mut Batch, side: Side) {
        let (table, chain) = side.place();
        for (index, filter_rule) in self.filter.rules().iter().enumerate() {
            for rule in encode(side, index, filter_rule) {
                batch.rule(table, chain, rule);
            }
        }
    }
}

/// Where a rule is carried out, and which end of a packet is the remote one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Output,
    Input,
    Link,
}

impl Side {
    fn place(self) -> (Table, &'static str) {
        match self {
            Self::Output => (INET, "output"),
            Self::Input => (INET, "answers"),
            Self::Link => (NETDEV, "egress"),
        }
    }

    fn counter(self, class: FilterClass) -> String {
        let side = match self {
            Self::Output => "output",
            Self::Input => "input",
            Self::Link => "link",
        };
        format!("{side}_{}", class.as_str())
    }

    fn family(self, rule: Rule, family: Family) -> Rule {
        match (self, family) {
            (Self::Output | Self::Input, Family::V4) => rule.load_meta(Meta::Family).equals(&[2]),
            (Self::Output | Self::Input, Family::V6) => rule.load_meta(Meta::Family).equals(&[10]),
            (Self::Link, Family::V4) => rule.load_meta(Meta::Protocol).equals(&link::IPV4),
            (Self::Link, Family::V6) => rule.load_meta(Meta::Protocol).equals(&link::IPV6),
        }
    }

    /// Loads the remote address.
    fn address(self, rule: Rule, family: Family) -> Rule {
        let offset = match (self, family) {
            (Self::Input, Family::V4) => 12,
            (Self::Input, Family::V6) => 8,
            (Self::Output | Self::Link, Family::V4) => 16,
            (Self::Output | Self::Link, Family::V6) => 24,
        };
        let width = if family == Family::V4 { 4 } else { 16 };
        rule.load(Base::Network, offset, width)
    }

    /// Loads the remote port.
    fn port(self, rule: Rule) -> Rule {
        let offset = if self == Self::Input { 0 } else { 2 };
        rule.load(Base::Transport, offset, 2)
    }
}

fn encode(side: Side, index: usize, rule: &FilterRule) -> Vec<Rule> {
    match &rule.to {
        Matcher::Any => vec![finish(side, index, rule, Rule::new())],
        Matcher::Nets { nets, except } => Family::BOTH
            .into_iter()
            .filter(|family| !intervals(nets, *family).is_empty())
            .map(|family| {
                let mut encoded = side.address(side.family(Rule::new(), family), family);
                encoded = encoded.in_set(&Sets::nets(index, family));
                if !intervals(except, family).is_empty() {
                    encoded = encoded.not_in_set(&Sets::except(index, family));
                }
                finish(side, index, rule, encoded)
            })
            .collect(),
        Matcher::Learned => Family::BOTH
            .into_iter()
            .map(|family| {
                let set = Sets::learned_name(family);
                // Sending does not keep an address: only a new answer does.
                let encoded = side.address(side.family(Rule::new(), family), family);
                finish(side, index, rule, encoded.in_set(set))
            })
            .collect(),
    }
}

fn finish(side: Side, index: usize, rule: &FilterRule, mut encoded: Rule) -> Rule {
    if let Transport::Tcp(_) = rule.transport {
        encoded = side
            .port(transport(encoded, TCP))
            .in_set(&Sets::ports(index));
    }
    // Loopback interfaces are let through before. A packet to the sandbox itself that is on its way
    // elsewhere (a socket bound to an interface sends one) would reach the loopback of a host that
    // routes such packets.
    let verdict = match rule.class {
        FilterClass::OwnLoopback => Verdict::Deny,
        _ => rule.verdict,
    };
    match (verdict, side) {
        (Verdict::Deny, Side::Output) => encoded.end(End::Jump(&refusal(rule.class))),
        (Verdict::Deny, Side::Input | Side::Link) => {
            encoded.count(&side.counter(rule.class)).end(End::Drop)
        }
        (Verdict::Allow, _) => encoded.count(&side.counter(rule.class)).end(End::Accept),
    }
}

fn refusal(class: FilterClass) -> String {
    format!("refuse_{}", class.as_str())
}

fn transport(rule: Rule, protocol: u8) -> Rule {
    rule.load_meta(Meta::Transport).equals(&[protocol])
}

fn named(meta: Meta, name: &str) -> Rule {
    let mut padded = name.as_bytes().to_vec();
    padded.resize(16, 0);
    Rule::new().load_meta(meta).equals(&padded)
}

/// An address as a set's key.
pub(super) fn key(address: IpAddr) -> (Family, Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(address) => (Family::V4, address.octets().to_vec()),
        IpAddr::V6(address) => (Family::V6, address.octets().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use sandbox_core::egress::{DomainName, EgressRules};

    use super::super::nft::attributes::{find, parse};
    use super::*;

    /// What the kernel takes in one datagram where `net.core.wmem_max` has its old default.
    const DATAGRAM: usize = 2 * 212_992;

    #[test]
    fn a_policy_fits_in_one_datagram_however_much_was_learned() {
        let environment = Environment::namespace();
        let rules = EgressRules::deny_all().allow_domain("a.test").unwrap();
        let name = DomainName::parse("a.test").unwrap();
        let mut learned = LearnedAddresses::default();
        for number in 0..LearnedAddresses::MAX as u128 {
            let address = IpAddr::from(Ipv6Addr::from_bits(0x2606_4700 << 96 | number));
            let end = Timestamp::MAX;
            learned.learn(&environment, &name, address, end).unwrap();
        }
        let plan = Plan {
            filter: &PacketFilter::compile(&rules, &environment),
            environment: &environment,
            learned: &learned,
            now: Timestamp::EPOCH,
            upstreams: &[],
            mark: 1,
            devices: &["eth0".to_owned()],
            features: Features {
                link: true,
                reject: true,
                alarm: true,
            },
        };
        let (bytes, _) = plan.batch().finish();
        assert!(bytes.len() < DATAGRAM, "{} bytes", bytes.len());
    }

    #[test]
    fn sending_to_a_learned_address_does_not_prolong_its_time() {
        let rule = FilterRule {
            class: FilterClass::AllowDomains,
            to: Matcher::Learned,
            transport: Transport::Any,
            verdict: Verdict::Allow,
        };
        for side in [Side::Output, Side::Link, Side::Input] {
            for encoded in encode(side, 0, &rule) {
                let bytes = encoded.into_attributes().into_bytes();
                let names: Vec<_> = parse(&bytes)
                    .map(|(_, expression)| find(expression, 1).unwrap())
                    .collect();
                assert!(names.contains(&&b"lookup\0"[..]));
                assert!(!names.contains(&&b"dynset\0"[..]), "{side:?}");
            }
        }
    }
}
