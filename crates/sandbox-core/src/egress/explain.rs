//! A decision in words.

use std::fmt;

use serde::Serialize;

use super::decide::{Decision, Rule, Verdict};
use super::destination::Destination;
use super::rules::EgressRules;

/// Why a destination is allowed or denied, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The destination, such as `203.0.113.7 tcp/443`.
    pub destination: String,
    /// The verdict and the rule that decided.
    #[serde(flatten)]
    pub decision: Decision,
    /// The field of the policy that decided, such as `egress.deny_cidrs[2]`; none when the place
    /// the sandbox runs in did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One sentence.
    pub reason: String,
}

impl Explanation {
    pub(super) fn new(rules: &EgressRules, destination: &Destination, decision: Decision) -> Self {
        Self {
            destination: destination.to_string(),
            decision,
            field: field(decision.rule),
            reason: reason(rules, destination, decision.rule),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.decision.verdict {
            Verdict::Allow => "allowed",
            Verdict::Deny => "denied",
        };
        write!(f, "{} is {verdict}: {}", self.destination, self.reason)
    }
}

fn field(rule: Rule) -> Option<String> {
    match rule {
        Rule::OwnLoopback | Rule::Protected { .. } => None,
        Rule::DenyCidr { index } => Some(format!("egress.deny_cidrs[{index}]")),
        Rule::AllowCidr { index } => Some(format!("egress.allow_cidrs[{index}]")),
        Rule::AllowDomain { index } => Some(format!("egress.allow_domains[{index}]")),
        Rule::PortNotAllowed { .. } => Some("egress.allow_ports".to_owned()),
        Rule::AllowAll | Rule::DenyAll => Some("egress.mode".to_owned()),
    }
}

fn reason(rules: &EgressRules, destination: &Destination, rule: Rule) -> String {
    match rule {
        Rule::OwnLoopback => "it is the sandbox itself".to_owned(),
        Rule::Protected { why, net } => {
            format!("it is {why} ({net}), which no mode opens")
        }
        Rule::DenyCidr { index } => {
            format!("deny_cidrs has {}", entry(&rules.deny_cidrs, index))
        }
        Rule::AllowAll => "the mode is allow_all and nothing denies it".to_owned(),
        Rule::AllowCidr { index } => {
            format!("allow_cidrs has {}", entry(&rules.allow_cidrs, index))
        }
        Rule::AllowDomain { index } => {
            let pattern = entry(&rules.allow_domains, index);
            match destination {
                Destination::Lookup(_) => format!("allow_domains has {pattern}"),
                Destination::Address { .. } => {
                    format!("a name that allow_domains covers with {pattern} resolved to it")
                }
            }
        }
        Rule::PortNotAllowed { index } => format!(
            "allow_cidrs has {}, but only for TCP to the ports in allow_ports",
            entry(&rules.allow_cidrs, index)
        ),
        Rule::DenyAll => "the mode is deny_all and nothing allows it".to_owned(),
    }
}

fn entry(list: &[impl fmt::Display], index: usize) -> String {
    list.get(index).map(ToString::to_string).unwrap_or_default()
}
