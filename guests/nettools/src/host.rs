//! Hosts, ports and times as people write them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sandbox_applet::{Failure, reason};
use sandbox_guest::socket::resolve;

/// Which addresses of a name are wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Family {
    /// All of them.
    #[default]
    Any,
    /// `-4`
    V4,
    /// `-6`
    V6,
}

impl Family {
    /// Whether it has `ip`.
    pub fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

/// The addresses of `host` with `port`; at least one.
pub fn addresses(host: &str, port: u16, family: Family) -> Result<Vec<SocketAddr>, Failure> {
    let mut found = resolve(host, port).map_err(|error| unresolved(host, &error))?;
    found.retain(|address| family.has(address.ip()));
    if found.is_empty() {
        return Err(Failure::new(format!("{host}: no address of this family")));
    }
    Ok(found)
}

/// What to say about a name that was not resolved.
pub fn unresolved(host: &str, error: &io::Error) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such name".to_owned(),
        io::ErrorKind::WouldBlock => "no resolver has answered".to_owned(),
        io::ErrorKind::PermissionDenied => "the egress policy denies the lookup".to_owned(),
        _ => reason(error),
    };
    Failure::new(format!("{host}: {why}"))
}

/// A port by its number.
pub fn port(text: &str) -> Result<u16, Failure> {
    let port = text.parse().ok().filter(|&port| port > 0);
    port.ok_or_else(|| Failure::new(format!("{text}: not a port; they go from 1 to 65535")))
}

/// Seconds, also fractions of one.
pub fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| Failure::new(format!("{text}: not a number of seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_seconds_are_numbers_in_range() {
        assert_eq!(port("80").ok(), Some(80));
        for text in ["0", "65536", "-1", "http", ""] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(seconds("0.5").ok(), Some(Duration::from_millis(500)));
        for text in ["-1", "x", "1e99"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
