//! Who answers lookups.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType};
use sandbox_core::egress::DomainName;

/// Answers names with addresses.
///
/// It is asked only for names that a sandbox's policy allows, on a thread of the network's own async
/// runtime (tokio); what blocks belongs on that runtime's blocking threads. What it answers is
/// believed: it decides which addresses the names in `allow_domains` open, within what
/// [`Environment::may_learn`](sandbox_core::egress::Environment::may_learn) lets a name open.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// Every address of `name`, of both families, best first.
    ///
    /// # Errors
    /// [`ResolveError`]; a name without addresses is [`ResolveError::NotFound`] or an empty list.
    async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError>;
}

/// Why a name was not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such name, or it has no address.
    NotFound,
    /// Nobody who could know has answered.
    Unavailable,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such name",
            Self::Unavailable => "no resolver has answered",
        })
    }
}

impl std::error::Error for ResolveError {}

/// The host's own resolver, with the servers of its configuration. Names are taken as they are: its
/// search domains are not tried, and what stands in its `hosts` file is the host's and not found.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        // Absolute: otherwise the host's search domains are tried, and names are looked up that no
        // policy was asked about.
        let absolute = format!("{name}.");
        tokio::task::spawn_blocking(move || look_up(&absolute))
            .await
            .map_err(|_| ResolveError::Unavailable)?
    }
}

fn look_up(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let hints = AddrInfoHints {
        // Else every address comes once for each kind of socket.
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(failure)?;
    let mut addresses = Vec::new();
    for address in found.flatten().map(|info| info.sockaddr.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn failure(error: LookupError) -> ResolveError {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => ResolveError::NotFound,
        _ => ResolveError::Unavailable,
    }
}
