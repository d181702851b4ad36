//! The kernel does what the interpreter says.

use sandbox_core::egress::{
    EgressRules, Environment, LearnedAddresses, Packet, PacketFilter, Protocol, Verdict,
};
use serde_json::{Value, json};

use crate::support::namespace::addresses;
use crate::support::probe::reaches;
use crate::support::{environment, start};

const PROTOCOLS: [Protocol; 5] = [
    Protocol::Tcp(443),
    Protocol::Tcp(80),
    Protocol::Udp(443),
    Protocol::Udp(80),
    Protocol::Icmp,
];

fn agrees(rules: Value, open: Value) {
    let (wire, _world, mut holder) = start();
    let mut environment = environment();
    environment["open"] = open;
    holder.set_in(&rules, &environment);
    let rules: EgressRules = serde_json::from_value(rules).unwrap();
    let environment = Environment {
        own_loopback: true,
        ..serde_json::from_value(environment).unwrap()
    };
    let filter = PacketFilter::compile(&rules, &environment);
    let mut seen = [0, 0];
    for to in addresses() {
        for protocol in PROTOCOLS {
            let packet = Packet::from_socket(to, protocol);
            let (verdict, class) = filter.evaluate(&packet, &LearnedAddresses::default());
            let allowed = verdict == Verdict::Allow;
            let reached = reaches(&wire.sandbox, to, protocol);
            assert_eq!(reached, allowed, "{to} {protocol}: {class:?}");
            seen[usize::from(allowed)] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "both verdicts occur");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_allow_all() {
    agrees(json!({"mode": "allow_all"}), json!([]));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_denied_ranges() {
    agrees(
        json!({"mode": "allow_all", "deny_cidrs": ["203.0.113.0/29", "2001:db8::7", "::ffff:198.51.100.0/120"]}),
        json!([]),
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_allowed_ranges_and_ports() {
    agrees(
        json!({"mode": "deny_all", "allow_ports": [443], "deny_cidrs": ["203.0.113.8"],
               "allow_cidrs": ["203.0.113.0/24", "2001:db8::/32", "169.254.169.254", "10.77.0.1"]}),
        json!([]),
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_every_address_being_allowed() {
    agrees(
        json!({"mode": "deny_all", "allow_cidrs": ["0.0.0.0/0", "::/0"]}),
        json!([]),
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_an_ipv6_range_not_opening_ipv4() {
    agrees(
        json!({"mode": "deny_all", "allow_cidrs": ["::/0"]}),
        json!([]),
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_kernel_agrees_about_opened_addresses() {
    agrees(
        json!({"mode": "allow_all", "deny_cidrs": ["10.77.0.9"]}),
        json!(["169.254.169.254", "10.77.0.0/24", "fd77::9"]),
    );
}
