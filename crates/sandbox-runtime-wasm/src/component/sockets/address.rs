//! Addresses as the interface has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::component::bindings::wasi::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use crate::net::Family;

/// The family by its name here.
pub(super) fn family(family: Family) -> IpAddressFamily {
    match family {
        Family::V4 => IpAddressFamily::Ipv4,
        Family::V6 => IpAddressFamily::Ipv6,
    }
}

/// An address of a component for a socket of this family. As the interface has it, a socket of
/// IPv6 takes no address of IPv4 in its mapped form.
///
/// # Errors
/// `invalid-argument` for that, and for the other family.
pub(super) fn taken(address: IpSocketAddress, own: Family) -> Result<SocketAddr, ErrorCode> {
    let address = match address {
        IpSocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), v4.port)
        }
        IpSocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
            if ip.to_ipv4_mapped().is_some() {
                return Err(ErrorCode::InvalidArgument);
            }
            SocketAddrV6::new(ip, v6.port, v6.flow_info, v6.scope_id).into()
        }
    };
    if Family::of(address.ip()) != own {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(address)
}

/// As [`taken`], of somebody to connect or send to: not any address, not any port.
///
/// # Errors
/// `invalid-argument`.
pub(super) fn remote(address: IpSocketAddress, own: Family) -> Result<SocketAddr, ErrorCode> {
    let address = taken(address, own)?;
    if address.ip().is_unspecified() || address.port() == 0 {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(address)
}

/// An address for a component.
pub(super) fn shown(address: SocketAddr) -> IpSocketAddress {
    match (ip(address.ip()), address) {
        (IpAddress::Ipv4(address), of) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port: of.port(),
            address,
        }),
        (IpAddress::Ipv6(address), of) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port: of.port(),
            flow_info: 0,
            address,
            scope_id: 0,
        }),
    }
}

/// An address without a port for a component.
pub(super) fn ip(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            IpAddress::Ipv4((a, b, c, d))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            IpAddress::Ipv6((a, b, c, d, e, f, g, h))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["127.0.0.1:80", "[2001:db8::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            let family = Family::of(address.ip());
            assert_eq!(taken(shown(address), family).unwrap(), address);
        }
    }

    #[test]
    fn what_no_socket_of_the_family_takes_is_refused() {
        let v4 = shown("127.0.0.1:80".parse().unwrap());
        let mapped = shown("[::ffff:127.0.0.1]:80".parse().unwrap());
        assert!(taken(v4, Family::V6).is_err());
        assert!(taken(mapped, Family::V6).is_err());
        for nobody in ["0.0.0.0:80", "127.0.0.1:0"] {
            let nobody = shown(nobody.parse().unwrap());
            assert!(remote(nobody, Family::V4).is_err(), "{nobody:?}");
            assert!(taken(nobody, Family::V4).is_ok(), "{nobody:?}");
        }
    }
}
