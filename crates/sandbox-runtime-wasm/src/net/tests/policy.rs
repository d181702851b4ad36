//! Nothing gets past the policy, and nothing else decides.

use ipnet::IpNet;
use proptest::prelude::*;
use sandbox_core::Timestamp;
use sandbox_core::egress::{Destination, EgressPolicy, RawEgressRules, Rule, ScopedPolicy};

use super::super::gate::Transport;
use super::*;
use crate::kernel::Errno;

/// Addresses that no policy opens, in the spellings a guest could think of.
const PROTECTED: &[&str] = &[
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[64:ff9b::169.254.169.254]:80",
    "[2002:a9fe:a9fe::1]:80",
    "168.63.129.16:80",
    "100.100.100.200:80",
    "[fd00:ec2::254]:80",
    "[fe80::1]:80",
    "[::127.0.0.1]:80",
    "[64:ff9b::7f00:1]:80",
    "[2002:7f00:1::]:80",
    "[::ffff:0:127.0.0.1]:80",
    "0.1.2.3:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "[ff02::1]:80",
    "192.0.2.77:80",
    "[::ffff:192.0.2.77]:80",
    "[2001:db8::77]:80",
];

fn host() -> Place {
    let host = ["192.0.2.77/32", "2001:db8::77/128"].map(|net| net.parse::<IpNet>().unwrap());
    Place::with(Environment {
        host: host.into(),
        ..Environment::default()
    })
}

#[tokio::test]
async fn protected_addresses_are_denied_in_every_spelling_and_mode() {
    let everything = EgressRules::deny_all()
        .allow_cidr("0.0.0.0/0")
        .and_then(|rules| rules.allow_cidr("::/0"))
        .unwrap();
    for rules in [EgressRules::allow_all(), everything] {
        let bench = Bench::in_hub(hub(host(), Names::default()), rules);
        let mut refused = 0;
        for address in PROTECTED {
            let to = at(address);
            let connected = bench.connect(address).await;
            assert_eq!(connected.unwrap_err(), Errno::ACCES, "{address}");
            let udp = bench.udp(Family::of(to.ip()));
            assert_eq!(
                send_to(&udp, b"x", to).await,
                Err(Errno::ACCES),
                "{address}"
            );
            assert_eq!(udp.connect(Some(to)), Err(Errno::ACCES), "{address}");
            let echo = bench.socket(Family::of(to.ip()), SocketKind::Echo).unwrap();
            let sent = send_to(&echo, &[8; 8], to).await;
            assert_eq!(sent, Err(Errno::ACCES), "{address}");
            refused += 4;
        }
        assert_eq!(
            bench.network.hub().sockets.used(),
            0,
            "a socket of the host was opened"
        );
        bench.denied(refused).await;
    }
}

#[tokio::test]
async fn every_spelling_of_the_hosts_loopback_is_the_sandboxes_own() {
    let bench = Bench::new(EgressRules::allow_all());
    // Something of the host listens, on every address it has.
    let listener = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for ip in [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
    ] {
        let connected = bench.connect(&format!("{ip}:{port}")).await;
        assert_eq!(connected.unwrap_err(), Errno::CONNREFUSED, "{ip}");
    }
    listener.set_nonblocking(true).unwrap();
    let accepted = listener.accept().unwrap_err();
    assert_eq!(accepted.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn without_a_policy_nothing_is_reached_at_all() {
    let hub = Arc::new(hub(
        Place::plain(),
        Names::of(&[("a.test", &["203.0.113.1"])]),
    ));
    let bench = Bench::on(&hub, 64, None);
    for address in ["203.0.113.1:80", "127.0.0.1:80", "[::1]:80"] {
        assert_eq!(
            bench.connect(address).await.unwrap_err(),
            Errno::ACCES,
            "{address}"
        );
        let udp = bench.udp(Family::of(at(address).ip()));
        assert_eq!(send_to(&udp, b"x", at(address)).await, Err(Errno::ACCES));
    }
    assert_eq!(
        bench.network.resolve("a.test", None).await,
        Err(Errno::ACCES)
    );
    bench.denied(7).await;
}

#[tokio::test]
async fn surroundings_that_cannot_be_told_close_everything() {
    let place = Place::plain();
    *place.environment.lock() = None;
    let bench = Bench::in_hub(hub(place, Names::default()), EgressRules::allow_all());
    assert_eq!(
        bench.connect("203.0.113.1:80").await.unwrap_err(),
        Errno::ACCES
    );
    let explained = bench
        .network
        .explain(&Destination::tcp(at("203.0.113.1:80")));
    assert!(!explained.decision.is_allowed());
}

#[tokio::test]
async fn an_address_of_the_host_that_nothing_lists_is_denied_by_its_route() {
    let place = Place {
        unlisted: vec![ip("203.0.113.9")],
        ..Place::plain()
    };
    let bench = Bench::in_hub(hub(place, Names::default()), EgressRules::allow_all());
    for address in ["203.0.113.9:80", "[::ffff:203.0.113.9]:80"] {
        assert_eq!(bench.connect(address).await.unwrap_err(), Errno::ACCES);
    }
    let opened = Place {
        unlisted: vec![ip("203.0.113.9")],
        ..Place::with(Environment {
            open: vec!["203.0.113.9/32".parse().unwrap()],
            ..Environment::default()
        })
    };
    let bench = Bench::in_hub(hub(opened, Names::default()), EgressRules::allow_all());
    let reached =
        bench
            .network
            .gate()
            .admit(Transport::Tcp, at("203.0.113.9:80"), true, |_| Ok(()));
    assert_eq!(reached, Ok(()), "an embedder may open it");
}

#[tokio::test]
async fn refusals_are_counted_and_told_at_most_once_a_second() {
    let told = Arc::new(Lock::new(Vec::new()));
    let heard = Arc::clone(&told);
    let hub = Arc::new(hub(Place::plain(), Names::default()));
    let sink = move |count: u64| heard.lock().push(count);
    let network = Network::new(hub, 4096, Box::new(sink));
    network.set_egress(Some(&EgressRules::deny_all()));
    let account = Account::new(1 << 20);
    let socket = Socket::open(&network, &account, Family::V4, SocketKind::Datagram).unwrap();
    const SCANNED: u64 = 2000;
    for port in 1..=SCANNED as u16 {
        let to = SocketAddr::new(ip("203.0.113.1"), port);
        assert_eq!(send_to(&socket, b"x", to).await, Err(Errno::ACCES));
    }
    assert_eq!(told.lock().first(), Some(&1), "the first is told at once");
    let all = async {
        while told.lock().iter().sum::<u64>() < SCANNED {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(all).await;
    let told = told.lock();
    assert_eq!(told.iter().sum::<u64>(), SCANNED);
    assert!(
        (told.len() as u64) < SCANNED / 10,
        "a flood is few events: {told:?}"
    );
}

#[tokio::test]
async fn what_nobody_was_told_yet_is_told_with_the_end() {
    let bench = Bench::new(EgressRules::deny_all());
    for _ in 0..5 {
        bench.connect("203.0.113.1:80").await.unwrap_err();
    }
    let denied = Arc::clone(&bench.denied);
    drop(bench);
    assert_eq!(denied.load(Ordering::Relaxed), 5);
}

/// Few addresses, ranges and names, so that they meet.
fn address() -> impl Strategy<Value = IpAddr> {
    let tail = prop::sample::select(vec![0u8, 1, 2, 127, 254]);
    let v4 = (
        prop::sample::select(vec![
            [203, 0, 113],
            [10, 0, 0],
            [169, 254, 169],
            [127, 0, 0],
        ]),
        tail,
    )
        .prop_map(|([a, b, c], d)| std::net::Ipv4Addr::new(a, b, c, d));
    (v4, 0..6u8).prop_map(|(v4, spelling)| match spelling {
        0 => v4.to_ipv6_mapped().into(),
        1 => std::net::Ipv6Addr::from_bits((0x64_ff9b << 96) | u128::from(v4.to_bits())).into(),
        2 => {
            std::net::Ipv6Addr::from_bits((0x2002 << 112) | (u128::from(v4.to_bits()) << 80)).into()
        }
        3 => std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(v4.to_bits())).into(),
        _ => v4.into(),
    })
}

fn net() -> impl Strategy<Value = String> {
    let lengths = prop::sample::select(vec![0u8, 8, 24, 32]);
    (address(), lengths).prop_map(|(address, length)| format!("{address}/{length}"))
}

fn rules() -> impl Strategy<Value = EgressRules> {
    let nets = || prop::collection::vec(net(), 0..4);
    let names = vec!["a.test", "*.test", "*.b.test"];
    let domains = prop::collection::vec(prop::sample::select(names), 0..2);
    let ports = prop::collection::vec(prop::sample::select(vec![53i64, 80]), 0..2);
    let parts = (any::<bool>(), nets(), nets(), ports, domains);
    let made = parts.prop_map(|(open, allow, deny, ports, domains)| {
        let mode = if open { "allow_all" } else { "deny_all" };
        let raw = RawEgressRules {
            mode: mode.to_owned(),
            allow_ports: if open || allow.is_empty() {
                Vec::new()
            } else {
                ports
            },
            allow_cidrs: if open { Vec::new() } else { allow },
            deny_cidrs: deny,
            allow_domains: if open {
                Vec::new()
            } else {
                domains.into_iter().map(str::to_owned).collect()
            },
        };
        raw.parse().ok()
    });
    made.prop_filter_map("rules that make no sense", |rules| rules)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The gate says what `decide` says, of the address that a connection would go to.
    #[test]
    fn the_gate_decides_as_the_policy_does(
        rules in rules(),
        host in prop::collection::vec(address(), 0..3),
        learned in prop::collection::vec(address(), 0..3),
        tried in prop::collection::vec((address(), prop::sample::select(vec![53u16, 80, 443])), 1..8),
    ) {
        let mut environment = Environment {
            host: host.iter().map(|host| IpNet::from(host.to_canonical())).collect(),
            ..Environment::default()
        };
        let hub = Arc::new(hub(Place::with(environment.clone()), Names::default()));
        let bench = Bench::on(&hub, 16, Some(rules.clone()));
        environment.own_loopback = true;
        let mut policy = ScopedPolicy::new(rules, environment);
        let name = DomainName::parse("a.test").unwrap();
        let gate = bench.network.gate();
        // What the gate learns, as a lookup would teach it.
        if let Ok(permit) = gate.admit_lookup(&name) {
            gate.learn(&permit, &learned).unwrap();
            if policy.rules.matching_domain(&name).is_some() {
                let ScopedPolicy { environment, learned: known, .. } = &mut policy;
                for address in &learned {
                    let _ = known.learn(environment, &name, *address, Timestamp::MAX);
                }
            }
        }
        for (address, port) in tried {
            let to = SocketAddr::new(address, port);
            for transport in [Transport::Tcp, Transport::Udp, Transport::Echo] {
                let destination = match transport {
                    Transport::Tcp => Destination::tcp(to),
                    Transport::Udp => Destination::udp(to),
                    Transport::Echo => Destination::icmp(address),
                };
                let decision = policy.decide(&destination);
                let admitted = gate.admit(transport, to, true, |permit| Ok(permit.is_inside()));
                let expected = decision.is_allowed().then_some(decision.rule == Rule::OwnLoopback);
                prop_assert_eq!(admitted.ok(), expected, "{} by {:?}", destination, decision);
            }
        }
        for name in ["a.test", "x.b.test", "c.example"] {
            let name = DomainName::parse(name).unwrap();
            let decision = policy.decide(&Destination::Lookup(name.clone()));
            prop_assert_eq!(gate.admit_lookup(&name).is_ok(), decision.is_allowed());
        }
    }
}
