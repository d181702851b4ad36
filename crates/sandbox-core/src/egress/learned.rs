//! Addresses that allowed names resolved to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::domain::DomainName;
use super::environment::Environment;
use super::rules::EgressRules;
use crate::{Error, ErrorKind, Result, Timestamp};

/// Addresses a trusted resolver answered for names that `allow_domains` covers, each until
/// an end that the caller chooses when it learns it: a record's time to live, or longer, for
/// connections that outlast it.
///
/// Expiry is the caller's to drive: an address counts until [`expire`](Self::expire) is told a time
/// past its end.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LearnedAddresses(BTreeMap<IpAddr, (DomainName, Timestamp)>);

impl LearnedAddresses {
    /// The most addresses kept at once. A name that resolves to more is cut short, not the memory.
    pub const MAX: usize = 4096;

    /// Takes `address` as what `name` resolved to, until `expires`. An address that is known
    /// already keeps the later end.
    ///
    /// # Errors
    /// `PermissionDenied` when [`Environment::may_learn`] refuses the address: a name must not open
    /// what surrounds the sandbox. `LimitExceeded` beyond [`Self::MAX`] addresses.
    pub fn learn(
        &mut self,
        environment: &Environment,
        name: &DomainName,
        address: IpAddr,
        expires: Timestamp,
    ) -> Result<()> {
        let refuse = |kind, why: String| Err(Error::new(kind, "egress.learn", why));
        let address = address.to_canonical();
        if !environment.may_learn(address) {
            let why = format!("{name} resolves to {address}, which no name may open");
            return refuse(ErrorKind::PermissionDenied, why);
        }
        if self.0.len() >= Self::MAX && !self.0.contains_key(&address) {
            let why = format!("{} addresses are known already", Self::MAX);
            return refuse(ErrorKind::LimitExceeded, why);
        }
        let entry = self
            .0
            .entry(address)
            .or_insert_with(|| (name.clone(), expires));
        if entry.1 <= expires {
            *entry = (name.clone(), expires);
        }
        Ok(())
    }

    /// Forgets every address whose end is at or before `now`.
    pub fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, (_, expires)| *expires > now);
    }

    /// Forgets every address that `rules` and `environment` no longer let a name open.
    pub fn retain_allowed(&mut self, rules: &EgressRules, environment: &Environment) {
        self.0.retain(|address, (name, _)| {
            rules.matching_domain(name).is_some() && environment.may_learn(*address)
        });
    }

    /// The name `address` was learned from.
    pub fn name_of(&self, address: IpAddr) -> Option<&DomainName> {
        self.0.get(&address.to_canonical()).map(|(name, _)| name)
    }

    /// Every address with its name and end.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &DomainName, Timestamp)> {
        self.0
            .iter()
            .map(|(address, (name, expires))| (*address, name, *expires))
    }
}
