//! Addresses as guests give and see them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::kernel::{Errno, Result};

/// The address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6, and IPv4 in its mapped form.
    V6,
}

impl Family {
    /// The family that `address` is of.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The address of this family that means any.
    pub(super) fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// `address` without a mapped form, when a socket of this family may be given it.
    ///
    /// # Errors
    /// `AFNOSUPPORT` for an address of the other family.
    pub(super) fn take(self, address: SocketAddr) -> Result<SocketAddr> {
        if Self::of(address.ip()) != self {
            return Err(Errno::AFNOSUPPORT);
        }
        Ok(plain(address))
    }

    /// `address` as a socket of this family shows it: IPv4 is mapped on one of IPv6.
    pub(super) fn show(self, address: SocketAddr) -> SocketAddr {
        match (self, address.ip()) {
            (Self::V6, IpAddr::V4(v4)) => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

/// `address` as it goes over the wire: IPv4-mapped is IPv4, and there are no scopes.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Where a packet to `address` goes: the unspecified address is this machine, as on Linux, and this
/// machine is the sandbox.
pub(super) fn target(address: SocketAddr) -> SocketAddr {
    let ip = match plain(address).ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_of_this_machine_is_the_sandbox() {
        for spelling in ["0.0.0.0:5", "[::ffff:0.0.0.0]:5", "[::ffff:127.0.0.1]:5"] {
            assert_eq!(target(at(spelling)), at("127.0.0.1:5"), "{spelling}");
        }
        assert_eq!(target(at("[::]:5")), at("[::1]:5"));
        assert_eq!(target(at("203.0.113.1:5")), at("203.0.113.1:5"));
    }

    #[test]
    fn a_socket_takes_addresses_of_its_family() {
        let mapped = at("[::ffff:203.0.113.1]:5");
        assert_eq!(Family::V6.take(mapped), Ok(at("203.0.113.1:5")));
        assert_eq!(Family::V6.show(at("203.0.113.1:5")), mapped);
        assert_eq!(Family::V4.take(mapped), Err(Errno::AFNOSUPPORT));
        assert_eq!(Family::V6.take(at("127.0.0.1:5")), Err(Errno::AFNOSUPPORT));
    }
}
