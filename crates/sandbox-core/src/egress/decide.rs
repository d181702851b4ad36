//! The decision itself.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::destination::{Destination, Protocol, Spellings};
use super::environment::{Environment, Protection};
use super::explain::Explanation;
use super::learned::LearnedAddresses;
use super::rules::{EgressMode, EgressRules};

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The sandbox may go there.
    Allow,
    /// It may not.
    Deny,
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rule {
    /// The sandbox's own loopback, or its own address.
    OwnLoopback,
    /// The address is denied in every mode.
    Protected {
        /// Why.
        why: Protection,
        /// The protected range it is in.
        net: IpNet,
    },
    /// An entry of `deny_cidrs`.
    DenyCidr {
        /// Its index.
        index: usize,
    },
    /// Mode `allow_all`.
    AllowAll,
    /// An entry of `allow_cidrs`, whose ports fit as well.
    AllowCidr {
        /// Its index.
        index: usize,
    },
    /// An entry of `allow_domains`: it covers the name looked up, or the name the
    /// address was learned from.
    AllowDomain {
        /// Its index.
        index: usize,
    },
    /// An entry of `allow_cidrs` has the address, but `allow_ports` has not the port, and nothing
    /// later allowed it.
    PortNotAllowed {
        /// The entry's index.
        index: usize,
    },
    /// Mode `deny_all`, and no list mentions the destination.
    DenyAll,
}

/// A verdict and the rule it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: Rule,
}

impl Decision {
    /// Whether the verdict is [`Verdict::Allow`].
    pub fn is_allowed(self) -> bool {
        self.verdict == Verdict::Allow
    }
}

impl From<Rule> for Decision {
    fn from(rule: Rule) -> Self {
        let verdict = match rule {
            Rule::OwnLoopback
            | Rule::AllowAll
            | Rule::AllowCidr { .. }
            | Rule::AllowDomain { .. } => Verdict::Allow,
            Rule::Protected { .. }
            | Rule::DenyCidr { .. }
            | Rule::PortNotAllowed { .. }
            | Rule::DenyAll => Verdict::Deny,
        };
        Self { verdict, rule }
    }
}

/// The question every runtime asks before a sandbox reaches anything.
pub trait EgressPolicy: fmt::Debug + Send + Sync {
    /// Judges one destination. Pure: the same answer until the policy itself changes.
    fn decide(&self, destination: &Destination) -> Decision;

    /// The rules, for runtimes that compile them.
    fn rules(&self) -> &EgressRules;

    /// [`decide`](Self::decide) with the reason in words.
    fn explain(&self, destination: &Destination) -> Explanation {
        Explanation::new(self.rules(), destination, self.decide(destination))
    }
}

/// Rules alone know no environment: loopback is taken for the host's and denied, and nothing
/// is learned from names.
impl EgressPolicy for EgressRules {
    fn decide(&self, destination: &Destination) -> Decision {
        decide(
            self,
            &Environment::default(),
            &LearnedAddresses::default(),
            destination,
        )
    }

    fn rules(&self) -> &EgressRules {
        self
    }
}

/// Rules in a place: what one sandbox may reach.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ScopedPolicy {
    /// What the tenant asked for.
    pub rules: EgressRules,
    /// What the runtime protects.
    pub environment: Environment,
    /// What allowed names resolved to.
    pub learned: LearnedAddresses,
}

impl ScopedPolicy {
    /// `rules` in `environment`, with nothing learned yet.
    pub fn new(rules: EgressRules, environment: Environment) -> Self {
        Self {
            rules,
            environment,
            learned: LearnedAddresses::default(),
        }
    }
}

impl EgressPolicy for ScopedPolicy {
    fn decide(&self, destination: &Destination) -> Decision {
        decide(&self.rules, &self.environment, &self.learned, destination)
    }

    fn rules(&self) -> &EgressRules {
        &self.rules
    }
}

fn decide(
    rules: &EgressRules,
    environment: &Environment,
    learned: &LearnedAddresses,
    destination: &Destination,
) -> Decision {
    match destination {
        Destination::Lookup(name) => match (rules.mode, rules.matching_domain(name)) {
            (EgressMode::AllowAll, _) => Rule::AllowAll,
            (EgressMode::DenyAll, Some(index)) => Rule::AllowDomain { index },
            (EgressMode::DenyAll, None) => Rule::DenyAll,
        },
        Destination::Address { address, protocol } => {
            address_rule(rules, environment, learned, *address, *protocol)
        }
    }
    .into()
}

fn address_rule(
    rules: &EgressRules,
    environment: &Environment,
    learned: &LearnedAddresses,
    address: IpAddr,
    protocol: Protocol,
) -> Rule {
    if environment.is_own(address) {
        return Rule::OwnLoopback;
    }
    if let Some((net, why)) = environment.protection(address) {
        return Rule::Protected { why, net };
    }
    if let Some(index) = Spellings::of(address)
        .all()
        .find_map(|spelling| position(&rules.deny_cidrs, spelling))
    {
        return Rule::DenyCidr { index };
    }
    match rules.mode {
        EgressMode::AllowAll => Rule::AllowAll,
        EgressMode::DenyAll => allowing_rule(rules, learned, address, protocol),
    }
}

fn allowing_rule(
    rules: &EgressRules,
    learned: &LearnedAddresses,
    address: IpAddr,
    protocol: Protocol,
) -> Rule {
    let listed = position(&rules.allow_cidrs, Spellings::of(address).reached());
    if let Some(index) = listed.filter(|_| port_allowed(rules, protocol)) {
        return Rule::AllowCidr { index };
    }
    let name = learned.name_of(address);
    if let Some(index) = name.and_then(|name| rules.matching_domain(name)) {
        return Rule::AllowDomain { index };
    }
    listed.map_or(Rule::DenyAll, |index| Rule::PortNotAllowed { index })
}

fn port_allowed(rules: &EgressRules, protocol: Protocol) -> bool {
    rules.allow_ports.is_empty()
        || matches!(protocol, Protocol::Tcp(port) if rules.allow_ports.contains(&port))
}

fn position(nets: &[IpNet], address: IpAddr) -> Option<usize> {
    nets.iter().position(|net| net.contains(&address))
}
