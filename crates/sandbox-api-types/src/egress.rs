//! Egress policies, and why a destination is allowed or denied.

use std::net::IpAddr;

use sandbox_core::egress::{Destination, EgressRules, Protocol, RawEgressRules, Verdict};
use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What happens to a destination that no list mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EgressMode {
    /// Everything is reachable. Takes no list.
    AllowAll,
    /// Nothing is reachable but what the allow lists name.
    DenyAll,
    /// Everything is reachable but `deny_cidrs`.
    AllowAllBut,
}

/// What a sandbox may connect to. `deny_cidrs` are looked at first, then `allow_cidrs` narrowed by
/// `allow_ports`, then `allow_domains`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EgressPolicy {
    /// What happens to a destination that no list mentions.
    pub mode: EgressMode,
    /// CIDRs or addresses to allow when the mode is `deny_all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = json!(["203.0.113.0/24"])))]
    pub allow_cidrs: Vec<String>,
    /// CIDRs or addresses to block whatever else is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_cidrs: Vec<String>,
    /// Restricts `allow_cidrs` to these destination TCP ports, 1 to 65535.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_ports: Vec<i64>,
    /// Names (`example.com`) or every name below one (`*.example.com`) to allow when the mode is
    /// `deny_all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_domains: Vec<String>,
}

impl EgressPolicy {
    /// The rules as the core knows them, checked.
    ///
    /// # Errors
    /// `InvalidSpec` whose field is a path such as `egress.deny_cidrs[2]`, as
    /// [`RawEgressRules::parse`], and for `allow_all` together with `deny_cidrs` or
    /// `allow_all_but` without.
    pub fn into_core(self) -> Result<EgressRules> {
        let mode = match self.mode {
            EgressMode::DenyAll => "deny_all",
            EgressMode::AllowAll if !self.deny_cidrs.is_empty() => {
                let message =
                    "has no place with mode allow_all; for all but these, use allow_all_but";
                return Err(refuse("deny_cidrs", message));
            }
            EgressMode::AllowAllBut if self.deny_cidrs.is_empty() => {
                let message = "is needed with mode allow_all_but; for everything, use allow_all";
                return Err(refuse("deny_cidrs", message));
            }
            EgressMode::AllowAll | EgressMode::AllowAllBut => "allow_all",
        };
        let raw = RawEgressRules {
            mode: mode.to_owned(),
            allow_cidrs: self.allow_cidrs,
            deny_cidrs: self.deny_cidrs,
            allow_ports: self.allow_ports,
            allow_domains: self.allow_domains,
        };
        raw.parse()
    }
}

fn refuse(field: &str, message: &str) -> Error {
    Error::invalid("egress.parse", format!("egress.{field}"), message)
}

impl TryFrom<EgressPolicy> for EgressRules {
    type Error = Error;

    fn try_from(policy: EgressPolicy) -> Result<Self> {
        policy.into_core()
    }
}

impl From<EgressRules> for EgressPolicy {
    fn from(rules: EgressRules) -> Self {
        let mode = match rules.mode() {
            sandbox_core::egress::EgressMode::DenyAll => EgressMode::DenyAll,
            sandbox_core::egress::EgressMode::AllowAll if rules.deny_cidrs().is_empty() => {
                EgressMode::AllowAll
            }
            sandbox_core::egress::EgressMode::AllowAll => EgressMode::AllowAllBut,
        };
        let raw = RawEgressRules::from(rules);
        Self {
            mode,
            allow_cidrs: raw.allow_cidrs,
            deny_cidrs: raw.deny_cidrs,
            allow_ports: raw.allow_ports,
            allow_domains: raw.allow_domains,
        }
    }
}

impl From<&EgressRules> for EgressPolicy {
    fn from(rules: &EgressRules) -> Self {
        rules.clone().into()
    }
}

/// Asks whether a sandbox may go somewhere, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Where to.
    pub destination: DestinationBody,
}

/// Where a sandbox wants to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum DestinationBody {
    /// `203.0.113.7:443` or `[2001:db8::7]:443` (TCP), an address alone (ICMP), or a name to look
    /// up.
    Text(String),
    /// The parts.
    Parts {
        /// An address, or a name to look up.
        host: String,
        /// The destination port, for TCP and UDP.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// The transport; `tcp` where there is a port, `icmp` where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocol: Option<DestinationProtocol>,
    },
}

/// A transport by name or, for one without, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DestinationProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
    /// Another IP protocol, by its number.
    #[serde(untagged)]
    Other(u8),
}

impl DestinationBody {
    /// The destination as the core knows it.
    ///
    /// # Errors
    /// `InvalidSpec` with a field below `destination` for what is neither an address nor a name, a
    /// name with a port, or a transport without the port it needs.
    pub fn into_core(self) -> Result<Destination> {
        match self {
            Self::Text(text) => parse_text(&text),
            Self::Parts {
                host,
                port,
                protocol,
            } => parse_parts(&host, port, protocol),
        }
    }
}

fn parse_text(text: &str) -> Result<Destination> {
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Ok(Destination::tcp(socket));
    }
    parse_parts(text, None, None).map_err(|_| {
        let message = "must be an address and a port such as 203.0.113.7:443, an address, or a name to look up";
        Error::invalid("egress.destination", "destination", message)
    })
}

fn parse_parts(
    host: &str,
    port: Option<u16>,
    protocol: Option<DestinationProtocol>,
) -> Result<Destination> {
    let refuse = |field: &str, message: String| {
        let field = format!("destination.{field}");
        Err(Error::invalid("egress.destination", field, message))
    };
    let Ok(address) = host.parse::<IpAddr>() else {
        if port.is_some() || protocol.is_some() {
            let message = "must be an address: a name is looked up, without port or protocol";
            return refuse("host", message.to_owned());
        }
        return Destination::lookup(host)
            .or_else(|error| refuse("host", error.message().to_owned()));
    };
    let protocol = match (protocol, port) {
        (Some(DestinationProtocol::Tcp) | None, Some(port)) => Protocol::Tcp(port),
        (Some(DestinationProtocol::Udp), Some(port)) => Protocol::Udp(port),
        (Some(DestinationProtocol::Icmp) | None, None) => Protocol::Icmp,
        (Some(DestinationProtocol::Other(number)), None) => Protocol::Other(number),
        (Some(DestinationProtocol::Tcp | DestinationProtocol::Udp), None) => {
            return refuse("port", "is needed for tcp and udp".to_owned());
        }
        (Some(DestinationProtocol::Icmp | DestinationProtocol::Other(_)), Some(_)) => {
            return refuse("port", "has no meaning but for tcp and udp".to_owned());
        }
    };
    Ok(Destination::address(address, protocol))
}

impl From<&Destination> for DestinationBody {
    fn from(destination: &Destination) -> Self {
        let (address, protocol) = match destination {
            Destination::Lookup(name) => return Self::Text(name.to_string()),
            Destination::Address { address, protocol } => (address, protocol),
        };
        let (protocol, port) = match *protocol {
            Protocol::Tcp(port) => (DestinationProtocol::Tcp, Some(port)),
            Protocol::Udp(port) => (DestinationProtocol::Udp, Some(port)),
            Protocol::Icmp => (DestinationProtocol::Icmp, None),
            Protocol::Other(number) => (DestinationProtocol::Other(number), None),
        };
        Self::Parts {
            host: address.to_string(),
            port,
            protocol: Some(protocol),
        }
    }
}

/// Why a destination is allowed or denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The destination, such as `203.0.113.7 tcp/443`.
    pub destination: String,
    /// Whether the sandbox may go there.
    pub allowed: bool,
    /// The kind of the rule that decided: `own_loopback`, `protected`, `deny_cidr`, `allow_all`,
    /// `allow_cidr`, `allow_domain`, `port_not_allowed` or `deny_all`.
    pub rule: String,
    /// The field of the policy that decided, such as `egress.deny_cidrs[2]`; absent when the place
    /// that the sandbox runs in did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One sentence.
    pub reason: String,
}

impl From<sandbox_core::egress::Explanation> for Explanation {
    fn from(explanation: sandbox_core::egress::Explanation) -> Self {
        use sandbox_core::egress::Rule;
        let rule = match explanation.decision.rule {
            Rule::OwnLoopback => "own_loopback",
            Rule::Protected { .. } => "protected",
            Rule::DenyCidr { .. } => "deny_cidr",
            Rule::AllowAll => "allow_all",
            Rule::AllowCidr { .. } => "allow_cidr",
            Rule::AllowDomain { .. } => "allow_domain",
            Rule::PortNotAllowed { .. } => "port_not_allowed",
            Rule::DenyAll => "deny_all",
        };
        Self {
            destination: explanation.destination,
            allowed: explanation.decision.verdict == Verdict::Allow,
            rule: rule.to_owned(),
            field: explanation.field,
            reason: explanation.reason,
        }
    }
}
