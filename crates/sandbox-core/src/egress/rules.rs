//! The rules a tenant writes, once they are known to make sense.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::domain::{DomainName, DomainPattern};
use super::parse::RawEgressRules;
use crate::Result;

/// What happens to a destination that no list mentions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressMode {
    /// Everything is reachable but `deny_cidrs` and what the environment protects.
    AllowAll,
    /// Nothing is reachable but what the allow lists name.
    #[default]
    DenyAll,
}

impl EgressMode {
    /// The mode as it is written in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowAll => "allow_all",
            Self::DenyAll => "deny_all",
        }
    }
}

impl fmt::Display for EgressMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An egress policy: a mode, then lists that are looked at in a fixed order (see the
/// [module](super)).
///
/// A value of this type is always consistent: it comes from [`RawEgressRules`], from serde (which
/// goes the same way) or from the constructors here. The default is [`deny_all`](Self::deny_all),
/// so that a policy someone forgot to set opens nothing.
///
/// ```
/// use sandbox_core::egress::EgressRules;
///
/// let rules = EgressRules::deny_all()
///     .allow_cidr("203.0.113.0/24")?
///     .allow_port(443)?
///     .allow_domain("*.example.com")?;
/// assert_eq!(rules.allow_cidrs().len(), 1);
/// # Ok::<(), sandbox_core::Error>(())
/// ```
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawEgressRules", into = "RawEgressRules")]
pub struct EgressRules {
    pub(super) mode: EgressMode,
    pub(super) allow_cidrs: Vec<IpNet>,
    pub(super) deny_cidrs: Vec<IpNet>,
    pub(super) allow_ports: Vec<u16>,
    pub(super) allow_domains: Vec<DomainPattern>,
}

impl EgressRules {
    /// The most entries `allow_cidrs` and `deny_cidrs` may have, each.
    pub const MAX_CIDRS: usize = 256;
    /// The most entries `allow_ports` may have.
    pub const MAX_PORTS: usize = 128;
    /// The most entries `allow_domains` may have.
    pub const MAX_DOMAINS: usize = 256;

    /// Everything but what the environment protects.
    pub fn allow_all() -> Self {
        Self {
            mode: EgressMode::AllowAll,
            ..Self::default()
        }
    }

    /// Nothing at all, not even name lookups.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Adds a CIDR or a bare address to `allow_cidrs`. Host bits are cleared.
    ///
    /// # Errors
    /// `InvalidSpec` as [`RawEgressRules::parse`].
    pub fn allow_cidr(self, cidr: &str) -> Result<Self> {
        self.edit(|raw| raw.allow_cidrs.push(cidr.to_owned()))
    }

    /// Adds a CIDR or a bare address to `deny_cidrs`. Host bits are cleared.
    ///
    /// # Errors
    /// `InvalidSpec` as [`RawEgressRules::parse`].
    pub fn deny_cidr(self, cidr: &str) -> Result<Self> {
        self.edit(|raw| raw.deny_cidrs.push(cidr.to_owned()))
    }

    /// Adds a TCP port to `allow_ports`, which narrows `allow_cidrs`: name those first.
    ///
    /// # Errors
    /// `InvalidSpec` as [`RawEgressRules::parse`].
    pub fn allow_port(self, port: u16) -> Result<Self> {
        self.edit(|raw| raw.allow_ports.push(i64::from(port)))
    }

    /// Adds a name (`example.com`) or every name below one (`*.example.com`) to `allow_domains`.
    ///
    /// # Errors
    /// `InvalidSpec` as [`RawEgressRules::parse`].
    pub fn allow_domain(self, pattern: &str) -> Result<Self> {
        self.edit(|raw| raw.allow_domains.push(pattern.to_owned()))
    }

    fn edit(self, change: impl FnOnce(&mut RawEgressRules)) -> Result<Self> {
        let mut raw = RawEgressRules::from(self);
        change(&mut raw);
        raw.parse()
    }

    /// What happens to a destination that no list mentions.
    pub fn mode(&self) -> EgressMode {
        self.mode
    }

    /// What is allowed in [`EgressMode::DenyAll`]. IPv4-mapped ranges are stored as IPv4.
    pub fn allow_cidrs(&self) -> &[IpNet] {
        &self.allow_cidrs
    }

    /// What is denied whatever else is allowed. IPv4-mapped ranges are stored as IPv4.
    pub fn deny_cidrs(&self) -> &[IpNet] {
        &self.deny_cidrs
    }

    /// The TCP ports `allow_cidrs` is narrowed to; empty for no narrowing.
    pub fn allow_ports(&self) -> &[u16] {
        &self.allow_ports
    }

    /// The names whose lookups, and whose addresses, are allowed in [`EgressMode::DenyAll`].
    pub fn allow_domains(&self) -> &[DomainPattern] {
        &self.allow_domains
    }

    /// The index in `allow_domains` of the first pattern that covers `name`.
    pub fn matching_domain(&self, name: &DomainName) -> Option<usize> {
        self.allow_domains
            .iter()
            .position(|pattern| pattern.matches(name))
    }
}
