//! Ways around the policy that need no privilege in the sandbox.
#![expect(unsafe_code, reason = "std has no IPV6_FREEBIND")]

use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::support::probe::reaches_tcp;
use crate::support::{environment, start};

const PATIENCE: Duration = Duration::from_millis(500);

/// Hosts that forward from bridges to their own loopback (`route_localnet`) are common.
#[test]
#[ignore = "needs root and network namespaces"]
fn the_hosts_loopback_is_not_reached_over_the_wire() {
    let (wire, _world, mut holder) = start();
    let server = wire.world.run(|| {
        std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
        UdpSocket::bind("127.0.0.1:7777").unwrap()
    });
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    for rules in [json!({"mode": "deny_all"}), json!({"mode": "allow_all"})] {
        holder.set(&rules);
        wire.sandbox.run(|| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.bind_device(Some(b"eth0")).unwrap();
            let own: SocketAddr = "10.77.0.2:0".parse().unwrap();
            socket.bind(&own.into()).unwrap();
            let to: SocketAddr = "127.0.0.1:7777".parse().unwrap();
            // A refusal is what the test is about.
            let _ = socket.send_to(b"inside", &to.into());
        });
        assert!(server.recv(&mut [0; 16]).is_err(), "{rules}");
    }
    assert_eq!(holder.ask("stats", &json!({}))["denied"], 2);
}

/// A socket bound to an address that is not the namespace's, which IPv6 lets anyone do.
fn bound_to_foreign(address: SocketAddr) -> UdpSocket {
    const IPV6_FREEBIND: libc::c_int = 78;
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    let on: libc::c_int = 1;
    // SAFETY: the value is an int, and its size is given.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IPV6,
            IPV6_FREEBIND,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    assert_eq!(code, 0);
    socket.bind(&address.into()).unwrap();
    socket.into()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_sandbox_cannot_answer_in_the_upstream_resolvers_name() {
    let (wire, _world, mut holder) = start();
    let upstream: SocketAddr = "[2001:db8::8]:53".parse().unwrap();
    holder.ask(
        "set_policy",
        &json!({"rules": {"mode": "deny_all", "allow_domains": ["a.example.com"]},
            "environment": environment(), "dns_upstreams": [upstream]}),
    );
    let silent = wire.world.run(|| UdpSocket::bind(upstream).unwrap());
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    wire.sandbox.run(|| {
        let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
        asker.set_read_timeout(Some(PATIENCE)).unwrap();
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\x03com\0\0\x01\0\x01";
        asker.send_to(query, "127.0.0.1:53").unwrap();
        let mut question = [0; 512];
        // The sandbox sees the port in /proc/net/udp6, and there are only 65,536 ids to try.
        let (_, port) = silent.recv_from(&mut question).unwrap();
        let mut forged = query.to_vec();
        forged[..2].copy_from_slice(&question[..2]);
        forged[2] = 0x81;
        forged[7] = 1;
        forged.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
        forged.extend([198, 51, 100, 9]);
        let forger = bound_to_foreign(upstream);
        forger.send_to(&forged, port).unwrap();
        assert!(asker.recv(&mut [0; 512]).is_err(), "taken for an answer");
    });
    assert!(!reaches_tcp(&wire.sandbox, "198.51.100.9:443"));
    assert_eq!(holder.ask("learned", &json!({}))["addresses"], json!([]));
}
