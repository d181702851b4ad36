//! The host's network, in a namespace of the test's own with hosts around it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::task::{Context, Poll, Waker};

use sandbox_core::egress::Destination;
use sandbox_testkit::netlab::{GREETING, NetLab, OTHER_TCP, TCP, TICKS};

use super::super::surroundings::Host;
use super::*;
use crate::kernel::{Errno, Socket as _};

/// A port that echoes.
const ECHO: u16 = 7100;
/// A port that takes everything, slowly at first.
const SINK: u16 = 7101;

fn bench(rules: EgressRules) -> Bench {
    let config = NetworkConfig::default();
    let host = Host::new(Vec::new(), Vec::new());
    Bench::in_hub(Hub::around(config, Arc::new(host)), rules)
}

fn to(ip: impl Into<IpAddr>, port: u16) -> String {
    SocketAddr::new(ip.into(), port).to_string()
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn what_is_allowed_is_reached_and_counted() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let near = lab.addresses;
    let mapped = near.near().to_ipv6_mapped();
    for host in [
        near.near().into(),
        near.near_v6().into(),
        IpAddr::from(mapped),
    ] {
        for port in [TCP, OTHER_TCP] {
            let socket = bench.connect(&to(host, port)).await.unwrap();
            assert_eq!(drain(&socket).await.unwrap(), GREETING.as_bytes(), "{host}");
            assert_eq!(socket.peer().unwrap(), SocketAddr::new(host, port));
            let name = socket.name();
            assert!(
                name.ip().is_unspecified() && name.port() != 0,
                "{name} is the host's"
            );
        }
    }
    let received = 6 * GREETING.len() as u64;
    assert_eq!(bench.network.traffic(), (received, 0));
    let refused = bench.connect(&to(near.near(), 9)).await;
    assert_eq!(refused.unwrap_err(), Errno::CONNREFUSED);
    bench.denied(0).await;
    assert_eq!(bench.network.hub().sockets.used(), 0);
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn the_rules_decide_by_address_and_port() {
    let lab = NetLab::private();
    let near = lab.addresses.near();
    let rules = EgressRules::deny_all()
        .allow_cidr(&format!("{near}/16"))
        .and_then(|rules| rules.allow_port(TCP))
        .unwrap();
    let bench = bench(rules);
    bench.connect(&to(near, TCP)).await.unwrap();
    bench
        .connect(&to(near.to_ipv6_mapped(), TCP))
        .await
        .unwrap();
    for denied in [
        to(near, OTHER_TCP),
        to(lab.addresses.far(), TCP),
        to(lab.addresses.near_v6(), TCP),
    ] {
        assert_eq!(
            bench.connect(&denied).await.unwrap_err(),
            Errno::ACCES,
            "{denied}"
        );
    }
    bench.denied(3).await;
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn the_machine_and_metadata_are_out_of_reach_though_they_serve() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    for forbidden in lab.forbidden() {
        let served = TcpStream::connect(forbidden).unwrap();
        drop(served);
        let refused = bench.connect(&forbidden.to_string()).await;
        assert_eq!(refused.unwrap_err(), Errno::ACCES, "{forbidden}");
    }
    // An address the machine gets later, which nobody has listed yet.
    let later = "203.0.113.250";
    ip_command(&format!("addr add {later}/32 dev lo"));
    // A range that is routed to it, without any of its addresses being there.
    ip_command("route add local 203.0.200.0/24 dev lo");
    for address in [later, "203.0.200.9"] {
        drop(TcpStream::connect((address, lab.host_port)).unwrap());
        let refused = bench.connect(&format!("{address}:{}", lab.host_port)).await;
        assert_eq!(refused.unwrap_err(), Errno::ACCES, "{address}");
    }
}

fn ip_command(words: &str) {
    let done = std::process::Command::new("ip")
        .args(words.split(' '))
        .status();
    assert!(done.unwrap().success(), "ip {words}");
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn a_new_policy_cuts_what_it_no_longer_allows() {
    let lab = NetLab::private();
    let near = lab.addresses.near();
    let far = lab.addresses.far();
    let bench = bench(EgressRules::allow_all());
    let cut = bench.connect(&to(near, TICKS)).await.unwrap();
    let kept = bench.connect(&to(far, TICKS)).await.unwrap();
    let udp = bench.udp(Family::V4);
    udp.connect(Some(SocketAddr::new(near.into(), 53))).unwrap();
    assert_eq!(receive(&cut).await.unwrap()[..4], *b"tick");
    let waiting = tokio::spawn({
        let cut = Arc::clone(&cut);
        async move { drain(&cut).await }
    });
    let rules = EgressRules::allow_all()
        .deny_cidr(&near.to_string())
        .unwrap();
    bench.network.set_egress(Some(&rules));
    assert_eq!(
        soon(waiting).await.unwrap(),
        Err(Errno::CONNRESET),
        "who waits is told"
    );
    assert_eq!(send(&cut, b"x").await, Err(Errno::CONNRESET));
    assert_eq!(send(&udp, b"x").await, Err(Errno::ACCES));
    let again = bench.connect(&to(near, TICKS)).await;
    assert_eq!(again.unwrap_err(), Errno::ACCES);
    assert_eq!(receive(&kept).await.unwrap()[..4], *b"tick");
    bench.network.set_egress(None);
    assert_eq!(drain(&kept).await, Err(Errno::CONNRESET));
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn the_end_of_a_learned_address_cuts_what_it_opened() {
    let lab = NetLab::private();
    let near = lab.addresses.near();
    let names = Names {
        known: BTreeMap::from([("near.test", vec![near.into()])]),
        ..Names::default()
    };
    let mut hub = hub(Place::plain(), names);
    hub.lifetime = Duration::from_millis(500);
    let rules = EgressRules::deny_all().allow_domain("near.test").unwrap();
    let bench = Bench::in_hub(hub, rules);
    let refused = bench.connect(&to(near, TICKS)).await;
    assert_eq!(refused.unwrap_err(), Errno::ACCES);
    bench.network.resolve("near.test", None).await.unwrap();
    let socket = bench.connect(&to(near, TICKS)).await.unwrap();
    assert_eq!(
        drain(&socket).await,
        Err(Errno::CONNRESET),
        "it ticks for ever otherwise"
    );
    assert!(bench.network.traffic().0 > 0);
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn a_change_of_policy_during_connecting_wins() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let socket = bench.tcp(Family::V4);
    let near = SocketAddr::new(lab.addresses.near().into(), TCP);
    let done = socket.connect(Some(near)).unwrap();
    bench.network.set_egress(Some(&EgressRules::deny_all()));
    let connected = soon(poll_fn(|cx| socket.poll_connected(cx))).await;
    if !done {
        assert_eq!(connected, Err(Errno::CONNABORTED));
    }
    assert!(drain(&socket).await.is_err());
}

/// A query for the address of `a.test`.
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn datagrams_are_judged_one_by_one_and_only_answers_come_back() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let hosts: [IpAddr; 4] = [
        lab.addresses.near().into(),
        lab.addresses.near_v6().into(),
        lab.addresses.far().to_ipv6_mapped().into(),
        lab.addresses.far().into(),
    ];
    for host in hosts {
        let server = SocketAddr::new(host, 53);
        let socket = bench.udp(Family::of(host));
        assert_eq!(send_to(&socket, QUERY, server).await, Ok(QUERY.len()));
        let mut answer = [0; 512];
        let receiving = poll_fn(|cx| Socket::poll_receive(&socket, cx, &mut answer, false));
        let received = soon(receiving).await.unwrap();
        assert_eq!(received.from, server);
        assert_eq!(answer[..2], QUERY[..2]);
        socket.connect(Some(server)).unwrap();
        send(&socket, QUERY).await.unwrap();
        assert!(!receive(&socket).await.unwrap().is_empty());
    }
    let (received, sent) = bench.network.traffic();
    assert_eq!(sent, 8 * QUERY.len() as u64);
    assert!(received > sent);
    // One socket, and a policy that changes between two datagrams.
    let socket = bench.udp(Family::V4);
    let server = SocketAddr::new(hosts[0], 53);
    send_to(&socket, QUERY, server).await.unwrap();
    bench.network.set_egress(Some(&EgressRules::deny_all()));
    assert_eq!(send_to(&socket, QUERY, server).await, Err(Errno::ACCES));
    bench.denied(1).await;
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn one_socket_talks_to_many_and_keeps_a_bounded_number_of_them() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let socket = bench.udp(Family::V4);
    let near = lab.addresses.near();
    for port in 10_000..10_500 {
        send_to(&socket, b"x", SocketAddr::new(near.into(), port))
            .await
            .unwrap();
    }
    assert!(bench.network.hub().sockets.used() <= 64);
    drop(socket);
    assert_eq!(bench.network.hub().sockets.used(), 0);
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn echo_requests_are_answered_from_outside() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    for (host, request, reply) in [
        (IpAddr::from(lab.addresses.near()), 8, 0),
        (lab.addresses.near_v6().into(), 128, 129),
    ] {
        let socket = bench.socket(Family::of(host), SocketKind::Echo).unwrap();
        let message = [request, 0, 0, 0, 0, 1, 0, 2, b'p'];
        send_to(&socket, &message, SocketAddr::new(host, 0))
            .await
            .unwrap();
        let answer = receive(&socket).await.unwrap();
        assert_eq!((answer[0], answer[8]), (reply, b'p'));
        bench.network.set_egress(Some(&EgressRules::deny_all()));
        let sent = send_to(&socket, &message, SocketAddr::new(host, 0)).await;
        assert_eq!(sent, Err(Errno::ACCES));
        bench.network.set_egress(Some(&EgressRules::allow_all()));
    }
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn ten_megabytes_go_through_a_slow_reader_unchanged() {
    const BYTES: usize = 10 << 20;
    let lab = NetLab::private();
    lab.serve(ECHO, |connection| {
        let mut input = connection.try_clone()?;
        std::io::copy(&mut input, connection)?;
        connection.shutdown(std::net::Shutdown::Write)
    });
    let bench = bench(EgressRules::allow_all());
    let socket = bench
        .connect(&to(lab.addresses.near(), ECHO))
        .await
        .unwrap();
    let sent: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    let writing = async {
        send(&socket, &sent).await.unwrap();
        socket.shut_down(false, true).unwrap();
    };
    let reading = async {
        let mut all = Vec::new();
        loop {
            let bytes = receive(&socket).await.unwrap();
            if bytes.is_empty() {
                return all;
            }
            all.extend(bytes);
            tokio::task::yield_now().await;
        }
    };
    let (_, echo) = soon(async { tokio::join!(writing, reading) }).await;
    assert!(echo == sent, "the bytes were changed on their way");
    assert_eq!(bench.network.traffic(), (BYTES as u64, BYTES as u64));
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn a_reader_that_stops_holds_the_writer_back() {
    let lab = NetLab::private();
    lab.serve(SINK, |connection| {
        // Nothing is read until the test says how much it wrote.
        let mut mark = [0; 1];
        connection.read_exact(&mut mark)?;
        std::thread::park_timeout(Duration::from_secs(600));
        connection.write_all(&mark)
    });
    let bench = bench(EgressRules::allow_all());
    let socket = bench
        .connect(&to(lab.addresses.near(), SINK))
        .await
        .unwrap();
    let chunk = vec![1; 64 << 10];
    let mut written = 0;
    // Until nothing goes for a while: the host's buffers are bounded.
    loop {
        let sending = poll_fn(|cx| Socket::poll_send(&socket, cx, &chunk, None));
        match tokio::time::timeout(Duration::from_secs(1), sending).await {
            Ok(sent) => written += sent.unwrap(),
            Err(_) => break,
        }
        assert!(written < 256 << 20, "nothing holds the writer back");
    }
    let noop = &mut Context::from_waker(Waker::noop());
    assert!(socket.poll_ready(noop, true).is_pending());
    bench.network.set_egress(Some(&EgressRules::deny_all()));
    assert!(matches!(socket.poll_ready(noop, true), Poll::Ready(ready) if ready.hang_up));
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn sockets_of_the_host_are_bounded_over_all_sandboxes() {
    let lab = NetLab::private();
    let config = NetworkConfig {
        max_sockets: 8,
        ..NetworkConfig::default()
    };
    let hub = Arc::new(Hub::around(
        config,
        Arc::new(Host::new(Vec::new(), Vec::new())),
    ));
    let benches = [0, 1].map(|_| Bench::on(&hub, 4096, Some(EgressRules::allow_all())));
    let mut open = Vec::new();
    let mut refused = 0;
    for round in 0..20 {
        match benches[round % 2]
            .connect(&to(lab.addresses.near(), TICKS))
            .await
        {
            Ok(socket) => open.push(socket),
            Err(errno) => {
                assert_eq!(errno, Errno::NFILE);
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (8, 12));
    open.clear();
    benches[0]
        .connect(&to(lab.addresses.near(), TCP))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn what_is_bound_to_loopback_does_not_get_out() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let near = SocketAddr::new(lab.addresses.near().into(), TCP);
    let tcp = bench.tcp(Family::V4);
    tcp.bind(at("127.0.0.1:0")).unwrap();
    assert_eq!(connect(&tcp, near).await, Err(Errno::INVAL));
    let udp = bench.udp(Family::V4);
    udp.bind(at("127.0.0.1:0")).unwrap();
    assert_eq!(send_to(&udp, b"x", near).await, Err(Errno::INVAL));
    assert_eq!(bench.network.hub().sockets.used(), 0);
    let bound = bench.tcp(Family::V4);
    bound.bind(at("0.0.0.0:5000")).unwrap();
    connect(&bound, near).await.unwrap();
    assert_eq!(bound.name(), at("0.0.0.0:5000"));
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn an_explanation_names_the_host_by_its_addresses() {
    let lab = NetLab::private();
    let bench = bench(EgressRules::allow_all());
    let [_, host] = lab.forbidden()[..] else {
        panic!("the lab has two");
    };
    let explained = bench.network.explain(&Destination::tcp(host));
    assert!(!explained.decision.is_allowed());
    assert!(explained.reason.contains("the host"), "{explained}");
}

#[tokio::test]
#[ignore = "needs root and network namespaces"]
async fn the_hosts_own_resolver_is_asked_where_no_other_is_given() {
    let lab = NetLab::private();
    let configured = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = configured
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "));
    let servers: Vec<IpAddr> = servers
        .filter_map(|text| text.trim().parse().ok())
        .collect();
    // Without any, resolvers ask the machine itself.
    let fallback = (servers.is_empty()).then(|| ip("127.0.0.1"));
    for server in servers.into_iter().chain(fallback) {
        lab.serve_names(server);
    }
    let rules = EgressRules::deny_all()
        .allow_domain("near.one.test")
        .unwrap();
    let bench = bench(rules);
    let near = lab.addresses;
    let mut found = bench.network.resolve("near.one.test", None).await.unwrap();
    found.sort();
    assert_eq!(found, [IpAddr::from(near.near()), near.near_v6().into()]);
    let socket = bench.connect(&to(near.near(), TCP)).await.unwrap();
    assert_eq!(drain(&socket).await.unwrap(), GREETING.as_bytes());
    let denied = bench.network.resolve("far.two.test", None).await;
    assert_eq!(denied, Err(Errno::ACCES));
}
