//! Names, and patterns over names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Error, Result};

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A DNS name as someone looks it up: lower case, no trailing dot.
///
/// Letters, digits, `-` and `_` alone, labels of 1 to 63 bytes, at most 253 bytes; names in other
/// scripts are written in punycode (`xn--…`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Parses a name; one trailing dot is dropped.
    ///
    /// # Errors
    /// `InvalidSpec` for anything that is not a name by the limits above.
    pub fn parse(text: &str) -> Result<Self> {
        parse_name(text)
            .map_err(|message| Error::new(crate::ErrorKind::InvalidSpec, "egress.domain", message))
    }

    /// The name in lower case, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// An entry of `allow_domains`: one name, or every name below one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DomainPattern {
    /// `example.com`: this name and no other.
    Exact(DomainName),
    /// `*.example.com`: every name that ends in `.example.com`, at any depth, but not
    /// `example.com` itself.
    Below(DomainName),
}

impl DomainPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (rest, below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if rest.contains('*') {
            return Err("may have a wildcard only as a leading `*.`".to_owned());
        }
        let name = parse_name(rest)?;
        // `1.2.3.4`, and shorthands of it that resolvers take for addresses, are no names.
        let last = name.0.rsplit('.').next().unwrap_or_default();
        if last.starts_with(|c: char| c.is_ascii_digit()) || IpAddr::from_str(rest).is_ok() {
            return Err("is an address, not a name; use allow_cidrs".to_owned());
        }
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }

    /// Whether this pattern covers `name`.
    pub fn matches(&self, name: &DomainName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Below(parent) => name
                .0
                .strip_suffix(parent.as_str())
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

fn parse_name(text: &str) -> Result<DomainName, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!("must be a domain name of 1 to {MAX_NAME} bytes"));
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    Ok(DomainName(name.to_ascii_lowercase()))
}

fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() || label.len() > MAX_LABEL {
        return Err(format!("must have labels of 1 to {MAX_LABEL} bytes"));
    }
    let plain = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !plain || label.starts_with('-') || label.ends_with('-') {
        return Err(format!(
            "has a label that is no host name (write other scripts in punycode): {label:?}"
        ));
    }
    Ok(())
}
