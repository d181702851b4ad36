//! The policy as an ordered list of matches, for a kernel to carry out.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::decide::Verdict;
use super::destination::{NAT64, SIX_TO_FOUR, wire_nets};
use super::environment::Environment;
use super::rules::{EgressMode, EgressRules};

/// Which part of the policy a filter rule stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilterClass {
    /// The sandbox's own loopback and addresses.
    OwnLoopback,
    /// IPv4-mapped addresses inside IPv6 packets, which no host has a reason to send.
    MappedOnWire,
    /// What the environment protects.
    Protected,
    /// `deny_cidrs`.
    DenyCidrs,
    /// Mode `allow_all`.
    AllowAll,
    /// `allow_cidrs`, with `allow_ports`.
    AllowCidrs,
    /// Addresses learned for `allow_domains`.
    AllowDomains,
    /// Nothing else matched.
    Default,
}

impl FilterClass {
    /// The class in `snake_case`, as counters are named.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnLoopback => "own_loopback",
            Self::MappedOnWire => "mapped_on_wire",
            Self::Protected => "protected",
            Self::DenyCidrs => "deny_cidrs",
            Self::AllowAll => "allow_all",
            Self::AllowCidrs => "allow_cidrs",
            Self::AllowDomains => "allow_domains",
            Self::Default => "default",
        }
    }
}

/// The destination addresses a rule is about, as they are on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// Every address.
    Any,
    /// Addresses in `nets`, except those in `except`.
    Nets {
        /// Ranges of either family; they may overlap.
        nets: Vec<IpNet>,
        /// Exceptions.
        except: Vec<IpNet>,
    },
    /// The addresses learned so far.
    Learned,
}

/// The transports a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Every protocol.
    Any,
    /// TCP to one of these ports.
    Tcp(Vec<u16>),
}

/// One step: a packet that matches gets the verdict, another goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRule {
    /// What it stands for.
    pub class: FilterClass,
    /// Destination addresses.
    pub to: Matcher,
    /// Protocol and ports.
    pub transport: Transport,
    /// What happens to a packet that matches.
    pub verdict: Verdict,
}

/// Rules in order; the last matches everything.
///
/// It judges packets in the direction in which the connection was opened. Loopback
/// interfaces, replies and neighbour discovery are the encoder's to let through.
/// [`evaluate`](Self::evaluate) gives [`EgressPolicy::decide`](super::EgressPolicy::decide)'s
/// verdict for every address, and a proptest holds it to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketFilter {
    rules: Vec<FilterRule>,
}

const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

impl PacketFilter {
    /// Compiles `rules` for `environment`.
    pub fn compile(rules: &EgressRules, environment: &Environment) -> Self {
        let mut filter = Self { rules: Vec::new() };
        filter.own(environment);
        filter.deny(FilterClass::MappedOnWire, vec![MAPPED.into()], Vec::new());
        filter.protect(environment);
        filter.deny(
            FilterClass::DenyCidrs,
            every_spelling(&rules.deny_cidrs),
            Vec::new(),
        );
        match rules.mode {
            EgressMode::AllowAll => filter.end(FilterClass::AllowAll, Verdict::Allow),
            EgressMode::DenyAll => {
                filter.allow(rules);
                filter.end(FilterClass::Default, Verdict::Deny);
            }
        }
        filter
    }

    /// The rules in order.
    pub fn rules(&self) -> &[FilterRule] {
        &self.rules
    }

    fn own(&mut self, environment: &Environment) {
        if !environment.own_loopback {
            return;
        }
        let loopback = [
            IpNet::V4(ipnet::Ipv4Net::new_assert([127, 0, 0, 0].into(), 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ];
        let own = environment
            .own
            .iter()
            .map(|address| IpNet::from(address.to_canonical()));
        self.push(
            FilterClass::OwnLoopback,
            Matcher::Nets {
                nets: loopback.into_iter().chain(own).collect(),
                except: Vec::new(),
            },
            Transport::Any,
            Verdict::Allow,
        );
    }

    /// IPv4 and IPv6 ranges are two rules: an IPv4 exception reaches the spellings of IPv4
    /// protections, but must not undo a protection that names the IPv6 spelling itself.
    fn protect(&mut self, environment: &Environment) {
        let protected: Vec<IpNet> = environment.protected().map(|(net, _)| net).collect();
        let (v4, v6) = by_family(&protected);
        let (open_v4, open_v6) = by_family(&environment.open);
        self.deny(
            FilterClass::Protected,
            every_spelling(&v4),
            every_spelling(&open_v4),
        );
        self.deny(FilterClass::Protected, v6, open_v6);
    }

    fn allow(&mut self, rules: &EgressRules) {
        let (v4, v6) = by_family(&rules.allow_cidrs);
        let transport = if rules.allow_ports.is_empty() {
            Transport::Any
        } else {
            Transport::Tcp(rules.allow_ports.clone())
        };
        // An IPv6 range does not open the IPv4 addresses that are spelled inside it.
        let spelled = vec![NAT64.into(), SIX_TO_FOUR.into()];
        for (nets, except) in [(every_spelling(&v4), Vec::new()), (v6, spelled)] {
            if !nets.is_empty() {
                self.push(
                    FilterClass::AllowCidrs,
                    Matcher::Nets { nets, except },
                    transport.clone(),
                    Verdict::Allow,
                );
            }
        }
        if !rules.allow_domains.is_empty() {
            self.push(
                FilterClass::AllowDomains,
                Matcher::Learned,
                Transport::Any,
                Verdict::Allow,
            );
        }
    }

    fn deny(&mut self, class: FilterClass, nets: Vec<IpNet>, except: Vec<IpNet>) {
        if !nets.is_empty() {
            let to = Matcher::Nets { nets, except };
            self.push(class, to, Transport::Any, Verdict::Deny);
        }
    }

    fn end(&mut self, class: FilterClass, verdict: Verdict) {
        self.push(class, Matcher::Any, Transport::Any, verdict);
    }

    fn push(&mut self, class: FilterClass, to: Matcher, transport: Transport, verdict: Verdict) {
        self.rules.push(FilterRule {
            class,
            to,
            transport,
            verdict,
        });
    }
}

fn by_family(nets: &[IpNet]) -> (Vec<IpNet>, Vec<IpNet>) {
    nets.iter().partition(|net| matches!(net, IpNet::V4(_)))
}

fn every_spelling(nets: &[IpNet]) -> Vec<IpNet> {
    nets.iter()
        .flat_map(|net| match net {
            IpNet::V4(v4) => wire_nets(*v4).to_vec(),
            IpNet::V6(_) => vec![*net],
        })
        .collect()
}
