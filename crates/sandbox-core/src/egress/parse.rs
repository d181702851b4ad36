//! From what a request says to rules that make sense, naming the field that does not.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize};

use super::domain::DomainPattern;
use super::rules::{EgressMode, EgressRules};
use crate::{Error, Result};

const OPERATION: &str = "egress.parse";

/// An egress policy as written in a request: nothing is checked yet.
///
/// Unknown fields are refused by serde, and absent lists are empty; [`parse`](Self::parse) does the
/// rest.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEgressRules {
    /// `allow_all` or `deny_all`.
    pub mode: String,
    /// CIDRs or bare addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_cidrs: Vec<String>,
    /// CIDRs or bare addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_cidrs: Vec<String>,
    /// TCP ports, 1 to 65535. Wider than a port, so that 70000 is an error with a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_ports: Vec<i64>,
    /// `example.com` or `*.example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_domains: Vec<String>,
}

impl RawEgressRules {
    /// Checks everything and normalises: host bits are cleared, a bare address is a /32 or /128, an
    /// IPv4-mapped range is IPv4, names are lower case without a trailing dot.
    ///
    /// # Errors
    /// `InvalidSpec` whose field is a path such as `egress.deny_cidrs[2]`: an unknown mode,
    /// `allow_all` together with an allow list (it would mean nothing, and its author believes
    /// otherwise; `deny_cidrs` are fine), `allow_ports` without `allow_cidrs`, a CIDR, port or
    /// domain that is none, a list longer than [`EgressRules::MAX_CIDRS`],
    /// [`EgressRules::MAX_PORTS`] or [`EgressRules::MAX_DOMAINS`].
    pub fn parse(self) -> Result<EgressRules> {
        let mode = parse_mode(&self.mode)?;
        self.check_combination(mode)?;
        Ok(EgressRules {
            mode,
            allow_cidrs: parse_list(
                "allow_cidrs",
                &self.allow_cidrs,
                EgressRules::MAX_CIDRS,
                |s| parse_net(s),
            )?,
            deny_cidrs: parse_list(
                "deny_cidrs",
                &self.deny_cidrs,
                EgressRules::MAX_CIDRS,
                |s| parse_net(s),
            )?,
            allow_ports: parse_list(
                "allow_ports",
                &self.allow_ports,
                EgressRules::MAX_PORTS,
                |p| parse_port(*p),
            )?,
            allow_domains: parse_list(
                "allow_domains",
                &self.allow_domains,
                EgressRules::MAX_DOMAINS,
                |s| DomainPattern::parse(s),
            )?,
        })
    }

    fn check_combination(&self, mode: EgressMode) -> Result<()> {
        let allows = [
            ("allow_cidrs", self.allow_cidrs.is_empty()),
            ("allow_ports", self.allow_ports.is_empty()),
            ("allow_domains", self.allow_domains.is_empty()),
        ];
        if mode == EgressMode::AllowAll {
            for (field, empty) in allows {
                if !empty {
                    return Err(refuse(
                        field,
                        "has no meaning with mode allow_all; use deny_all with this list, or drop it",
                    ));
                }
            }
        }
        if !self.allow_ports.is_empty() && self.allow_cidrs.is_empty() {
            return Err(refuse("allow_ports", "narrows allow_cidrs, which is empty"));
        }
        Ok(())
    }
}

impl TryFrom<RawEgressRules> for EgressRules {
    type Error = Error;

    fn try_from(raw: RawEgressRules) -> Result<Self> {
        raw.parse()
    }
}

impl From<EgressRules> for RawEgressRules {
    fn from(rules: EgressRules) -> Self {
        let strings = |nets: Vec<IpNet>| nets.iter().map(ToString::to_string).collect();
        Self {
            mode: rules.mode.as_str().to_owned(),
            allow_cidrs: strings(rules.allow_cidrs),
            deny_cidrs: strings(rules.deny_cidrs),
            allow_ports: rules.allow_ports.into_iter().map(i64::from).collect(),
            allow_domains: rules
                .allow_domains
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

fn refuse(field: &str, message: &str) -> Error {
    Error::invalid(OPERATION, format!("egress.{field}"), message)
}

fn parse_mode(text: &str) -> Result<EgressMode> {
    [EgressMode::AllowAll, EgressMode::DenyAll]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| refuse("mode", "must be allow_all or deny_all"))
}

fn parse_list<T, U>(
    field: &str,
    items: &[T],
    most: usize,
    parse: impl Fn(&T) -> Result<U, String>,
) -> Result<Vec<U>> {
    if items.len() > most {
        let message = format!("has {} entries, at most {most} are allowed", items.len());
        return Err(refuse(field, &message));
    }
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            parse(item).map_err(|message| refuse(&format!("{field}[{index}]"), &message))
        })
        .collect()
}

fn parse_port(port: i64) -> Result<u16, String> {
    u16::try_from(port)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| "must be a port from 1 to 65535".to_owned())
}

/// A CIDR or bare address, normalised as [`RawEgressRules::parse`] says.
pub(super) fn parse_net(text: &str) -> Result<IpNet, String> {
    let net = match IpAddr::from_str(text) {
        Ok(address) => IpNet::from(address),
        Err(_) => {
            IpNet::from_str(text).map_err(|_| "is neither a CIDR nor an address".to_owned())?
        }
    };
    Ok(unmap_net(net.trunc()))
}

/// An IPv4-mapped range as the IPv4 range it is.
pub(super) fn unmap_net(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4),
            None => net,
        },
        IpNet::V4(_) | IpNet::V6(_) => net,
    }
}

/// For serde: a list of CIDRs or bare addresses.
pub(super) fn deserialize_nets<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| {
            parse_net(text)
                .map_err(|message| serde::de::Error::custom(format!("{text:?} {message}")))
        })
        .collect()
}
