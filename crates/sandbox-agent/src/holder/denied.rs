//! Destinations that were refused, as the kernel noted them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sandbox_core::egress::{Destination, Protocol};

use super::denials::Denials;
use super::nft::batch::Batch;
use super::nft::dump;
use super::nft::interval::Family;
use super::nft::socket::Session;
use super::ruleset::INET;
use super::sets::Sets;

/// Moves the destinations refused since the last call to `denials`. On an error some may have been
/// moved; what the kernel could not be made to forget is told again.
pub(super) fn take(session: &mut Session, denials: &mut Denials) -> io::Result<()> {
    Family::BOTH
        .into_iter()
        .try_for_each(|family| take_family(session, denials, family))
}

fn take_family(session: &mut Session, denials: &mut Denials, family: Family) -> io::Result<()> {
    const ATTEMPTS: usize = 3;
    let set = Sets::denied_name(family);
    let mut done = Ok(());
    for _ in 0..ATTEMPTS {
        let keys = dump::keys(session, INET, set)?;
        if keys.is_empty() {
            return Ok(());
        }
        for destination in keys.iter().filter_map(|key| parse(key)) {
            denials.push(destination);
        }
        let mut batch = Batch::new();
        batch.remove(INET, set, &keys);
        done = session.commit(batch);
        // One whose time ran out since it was read: the others are read again.
        match &done {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            _ => break,
        }
    }
    done
}

/// A key: the address, the transport in a word's first byte, the port in a word's first two.
fn parse(key: &[u8]) -> Option<Destination> {
    let (rest, port) = key.split_last_chunk::<4>()?;
    let (address, transport) = rest.split_last_chunk::<4>()?;
    let address: IpAddr = match *address {
        [a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?).into(),
    };
    let port = u16::from_be_bytes([port[0], port[1]]);
    let protocol = match transport[0] {
        6 => Protocol::Tcp(port),
        17 => Protocol::Udp(port),
        1 | 58 => Protocol::Icmp,
        other => Protocol::Other(other),
    };
    Some(Destination::address(address, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_families_are_read() {
        let text = |key: &[u8]| parse(key).map(|destination| destination.to_string());
        assert_eq!(
            text(&[203, 0, 113, 7, 6, 0, 0, 0, 1, 187, 0, 0]).as_deref(),
            Some("203.0.113.7 tcp/443")
        );
        let mut v6 = Ipv6Addr::LOCALHOST.octets().to_vec();
        v6.extend([58, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(text(&v6).as_deref(), Some("::1 icmp"));
        assert_eq!(text(&[1, 2, 3]), None);
        assert_eq!(text(&[0; 13]), None);
    }
}
