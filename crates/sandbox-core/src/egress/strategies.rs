//! Random policies and destinations, drawn so that they meet often.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{DomainName, Environment, LearnedAddresses, Protocol, RawEgressRules, ScopedPolicy};
use crate::Timestamp;

/// Addresses near the interesting ones.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let near = prop::sample::select(vec![
        [8, 8, 8, 8],
        [10, 0, 0, 1],
        [127, 0, 0, 1],
        [169, 254, 169, 254],
        [172, 17, 0, 1],
        [203, 0, 113, 7],
        [224, 0, 0, 251],
        [255, 255, 255, 255],
        [0, 0, 0, 0],
        [168, 63, 129, 16],
    ]);
    prop_oneof![
        8 => (near, 0..4u32).prop_map(|(address, flip)| {
            Ipv4Addr::from_bits(u32::from_be_bytes(address) ^ flip)
        }),
        1 => any::<Ipv4Addr>(),
    ]
}

pub(super) fn address() -> impl Strategy<Value = IpAddr> {
    let near = prop::sample::select(vec![
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "2001:db8::7",
        "2606:4700::1111",
        "64:ff9b:1::808:808",
        "2001:0:a9fe:a9fe::",
        "fc00::1",
    ]);
    prop_oneof![
        6 => v4().prop_map(IpAddr::V4),
        2 => v4().prop_map(|v4| v4.to_ipv6_mapped().into()),
        2 => v4().prop_map(|v4| Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(v4.to_bits())).into()),
        2 => (v4(), any::<u16>()).prop_map(|(v4, low)| {
            Ipv6Addr::from_bits(0x2002 << 112 | u128::from(v4.to_bits()) << 80 | u128::from(low)).into()
        }),
        4 => (near, 0..4u128).prop_map(|(text, flip)| {
            let near: Ipv6Addr = text.parse().unwrap();
            Ipv6Addr::from_bits(near.to_bits() ^ flip).into()
        }),
        1 => any::<Ipv6Addr>().prop_map(IpAddr::V6),
    ]
}

pub(super) fn net() -> impl Strategy<Value = IpNet> {
    (address(), 0..=128u8).prop_map(|(address, narrow)| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new_assert(address, bits - narrow.min(bits).min(narrow % 33)).trunc()
    })
}

pub(super) fn protocol() -> impl Strategy<Value = Protocol> {
    let port = prop::sample::select(vec![22, 53, 80, 443, 65535]);
    prop_oneof![
        4 => port.clone().prop_map(Protocol::Tcp),
        2 => port.prop_map(Protocol::Udp),
        1 => Just(Protocol::Icmp),
        1 => any::<u8>().prop_filter("has no protocol of its own", |number| {
            ![1, 6, 17, 58].contains(number)
        }).prop_map(Protocol::Other),
    ]
}

pub(super) fn rules() -> impl Strategy<Value = RawEgressRules> {
    let nets = || prop::collection::vec(net().prop_map(|net| net.to_string()), 0..5);
    let ports = prop::collection::vec(prop::sample::select(vec![22, 80, 443i64]), 0..3);
    let names = vec!["example.com", "*.example.com", "*.test"];
    let domains = prop::collection::vec(prop::sample::select(names).prop_map(str::to_owned), 0..3);
    (any::<bool>(), nets(), nets(), ports, domains).prop_map(
        |(all, allow_cidrs, deny_cidrs, allow_ports, allow_domains)| {
            let mut raw = RawEgressRules {
                mode: if all { "allow_all" } else { "deny_all" }.to_owned(),
                deny_cidrs,
                ..RawEgressRules::default()
            };
            if !all {
                raw.allow_ports = if allow_cidrs.is_empty() {
                    Vec::new()
                } else {
                    allow_ports
                };
                raw.allow_cidrs = allow_cidrs;
                raw.allow_domains = allow_domains;
            }
            raw
        },
    )
}

fn environment() -> impl Strategy<Value = Environment> {
    let nets = || prop::collection::vec(net(), 0..3);
    let own = prop::collection::vec(address(), 0..2);
    (any::<bool>(), own, nets(), nets(), nets()).prop_map(
        |(own_loopback, own, host, neighbours, open)| Environment {
            own_loopback,
            own,
            host,
            gateway: vec!["172.17.0.1/32".parse().unwrap()],
            neighbours,
            open,
        },
    )
}

/// Policies with some addresses learned for names that the rules allow.
pub(super) fn policy() -> impl Strategy<Value = ScopedPolicy> {
    let names = prop::sample::select(vec!["example.com", "a.example.com", "b.test", "other.net"]);
    let learned = prop::collection::vec((names, address()), 0..4);
    (rules(), environment(), learned).prop_map(|(raw, environment, pairs)| {
        let rules = raw.parse().unwrap();
        let mut learned = LearnedAddresses::default();
        for (name, address) in pairs {
            let name = DomainName::parse(name).unwrap();
            // A refusal is part of what is drawn.
            let _ = learned.learn(&environment, &name, address, Timestamp::MAX);
        }
        learned.retain_allowed(&rules, &environment);
        ScopedPolicy {
            rules,
            environment,
            learned,
        }
    })
}
