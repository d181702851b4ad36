//! What a policy lets through, and what changing it does.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use sandbox_core::egress::Protocol;
use serde_json::json;

use crate::support::probe::{exchange, reaches, reaches_tcp, tcp};
use crate::support::start;

#[test]
#[ignore = "needs root and network namespaces"]
fn nothing_but_loopback_is_reachable_before_a_policy() {
    let (wire, _world, holder) = start();
    assert_eq!(holder.ready["link"], true);
    assert_eq!(holder.ready["devices"], json!(["eth0"]));
    for to in [
        "203.0.113.7:443",
        "10.77.0.1:80",
        "[2001:db8::7]:443",
        "169.254.169.254:80",
    ] {
        assert!(!reaches_tcp(&wire.sandbox, to), "{to}");
    }
    let listener = wire
        .sandbox
        .run(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    wire.sandbox
        .run(|| std::net::TcpStream::connect_timeout(&to, Duration::from_secs(1)).unwrap());
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_world_is_reachable_without_a_filter() {
    let wire = crate::support::Wire::new();
    let _world = crate::support::World::start(&wire.world);
    for to in crate::support::namespace::addresses() {
        for protocol in [Protocol::Tcp(443), Protocol::Udp(80), Protocol::Icmp] {
            assert!(reaches(&wire.sandbox, to, protocol), "{to} {protocol}");
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_new_policy_cuts_open_connections_it_does_not_allow_and_no_others() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let mut cut = wire
        .sandbox
        .run(|| tcp("203.0.113.7:443".parse().unwrap()).unwrap());
    let mut kept = wire
        .sandbox
        .run(|| tcp("203.0.113.8:443".parse().unwrap()).unwrap());
    let mut cut_v6 = wire
        .sandbox
        .run(|| tcp("[2001:db8::7]:443".parse().unwrap()).unwrap());
    holder.set(&json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.8"]}));
    assert!(exchange(&mut cut).is_err());
    assert!(exchange(&mut cut_v6).is_err());
    exchange(&mut kept).unwrap();
    holder.set(&json!({"mode": "allow_all", "deny_cidrs": ["203.0.113.8"]}));
    assert!(exchange(&mut kept).is_err());
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_cut_connection_hears_nothing_more_from_the_other_side() {
    let (wire, _world, mut holder) = start();
    let bind = |to: &str| UdpSocket::bind(to).unwrap();
    for (outside, inside) in [
        ("203.0.113.7:9000", "10.77.0.2:0"),
        ("[2001:db8::7]:9000", "[fd77::2]:0"),
    ] {
        let inside = wire.sandbox.run(|| bind(inside));
        let to = outside;
        let outside = wire.world.run(|| bind(outside));
        let patience = Some(Duration::from_millis(300));
        inside.set_read_timeout(patience).unwrap();
        let mut buffer = [0; 16];
        holder.set(&json!({"mode": "allow_all"}));
        inside.send_to(b"open", to).unwrap();
        let (_, from) = outside.recv_from(&mut buffer).unwrap();
        outside.send_to(b"push", from).unwrap();
        inside.recv(&mut buffer).unwrap();
        holder.set(&json!({"mode": "deny_all"}));
        outside.send_to(b"push", from).unwrap();
        assert!(inside.recv(&mut buffer).is_err(), "{to}");
    }
    assert_eq!(holder.count("input_default"), 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn refused_connections_fail_at_once() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    let started = std::time::Instant::now();
    for to in ["203.0.113.7:443", "[2001:db8::7]:443"] {
        let error = wire.sandbox.run(|| tcp(to.parse().unwrap()).unwrap_err());
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{to}");
    }
    assert!(started.elapsed() < Duration::from_millis(200));
    assert_eq!(holder.count("output_default"), 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn nobody_outside_can_open_a_connection_to_the_sandbox() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let _listener = wire.sandbox.run(|| TcpListener::bind("[::]:7000").unwrap());
    for to in ["10.77.0.2:7000", "[fd77::2]:7000"] {
        assert!(!reaches_tcp(&wire.world, to), "{to}");
    }
    assert!(holder.count("input_unsolicited") >= 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_policy_outlives_the_holder() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.7"]}));
    holder.kill();
    assert!(reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.8:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn dockers_own_resolver_is_closed_to_the_sandbox() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let resolver = wire
        .sandbox
        .run(|| std::net::UdpSocket::bind("127.0.0.11:5353").unwrap());
    let sent = wire.sandbox.run(|| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"query", resolver.local_addr().unwrap())
    });
    assert!(sent.is_err());
    assert_eq!(holder.count("output_resolver"), 1);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_sandbox_that_does_nothing_is_denied_nothing() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    // Joining and leaving the link makes the kernel speak on its own account.
    wire.sandbox.ip("link set eth0 down");
    wire.sandbox.ip("link set eth0 up");
    std::thread::sleep(Duration::from_millis(1_500));
    let stats = holder.ask("stats", &json!({}));
    assert_eq!(stats["denied"], 0, "{stats}");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn what_was_refused_is_told_once_even_when_the_policy_changes() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    for (to, protocol) in [
        ("203.0.113.7", Protocol::Tcp(443)),
        ("203.0.113.7", Protocol::Tcp(443)),
        ("2001:db8::7", Protocol::Udp(80)),
        ("169.254.169.254", Protocol::Icmp),
    ] {
        assert!(!reaches(&wire.sandbox, to.parse().unwrap(), protocol));
    }
    holder.set(&json!({"mode": "allow_all"}));
    let denials = holder.ask("denials", &json!({}));
    let mut refused: Vec<_> = denials["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {} {}", one["address"], one["protocol"], one["port"]))
        .collect();
    refused.sort();
    assert_eq!(
        refused,
        [
            r#""169.254.169.254" "icmp" null"#,
            r#""2001:db8::7" "udp" 80"#,
            r#""203.0.113.7" "tcp" 443"#,
        ]
    );
    assert_eq!(holder.ask("denials", &json!({}))["refused"], json!([]));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_flood_of_refusals_stays_refused_and_counted() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    wire.sandbox.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for port in 1..=1000 {
            assert!(socket.send_to(b"flood", ("203.0.113.7", port)).is_err());
        }
    });
    assert_eq!(holder.count("output_default"), 1000);
    let denials = holder.ask("denials", &json!({}));
    assert_eq!(denials["refused"].as_array().unwrap().len(), 128);
}
