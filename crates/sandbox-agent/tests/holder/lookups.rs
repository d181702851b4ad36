//! Names.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::probe::{reaches_tcp, udp};
use crate::support::{Namespace, environment, start};

const A: u16 = 1;
const AAAA: u16 = 28;
const REFUSED: u8 = 5;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// The response code and the number of answers.
fn look_up(sandbox: &Namespace, name: &str, kind: u16) -> (u8, u8) {
    let resolver: SocketAddr = "127.0.0.1:53".parse().unwrap();
    let response = sandbox.run(|| udp(resolver, &query(name, kind)).unwrap());
    assert_eq!(response[..2], [0x12, 0x34], "the asker's id comes back");
    (response[3] & 15, response[7])
}

fn look_up_tcp(sandbox: &Namespace, name: &str) -> (u8, u8) {
    let mut framed = query(name, A);
    let length = u16::try_from(framed.len()).unwrap();
    framed.splice(..0, length.to_be_bytes());
    let response = sandbox.run(|| {
        let mut stream = TcpStream::connect("127.0.0.1:53").unwrap();
        stream.write_all(&framed).unwrap();
        let mut response = [0; 12];
        stream.read_exact(&mut response[..2]).unwrap();
        stream.read_exact(&mut response).unwrap();
        response
    });
    (response[3] & 15, response[7])
}

#[test]
#[ignore = "needs root and network namespaces"]
fn an_allowed_name_opens_its_addresses_and_nothing_else() {
    let (wire, world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["*.example.com"]}));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"), "not yet");
    assert_eq!(look_up(&wire.sandbox, "a.example.com", A), (0, 1));
    assert!(reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.8:443"));
    assert!(!reaches_tcp(&wire.sandbox, "[2001:db8::7]:443"), "not yet");
    assert_eq!(look_up(&wire.sandbox, "A.Example.com", AAAA), (0, 1));
    assert!(reaches_tcp(&wire.sandbox, "[2001:db8::7]:443"));
    assert_eq!(look_up(&wire.sandbox, "alias.example.com", A), (0, 2));
    assert!(
        reaches_tcp(&wire.sandbox, "203.0.113.8:443"),
        "through its alias"
    );
    assert!(world.was_asked("a.example.com"));
    let learned = holder.ask("learned", &json!({}));
    assert_eq!(learned["addresses"][0]["address"], "203.0.113.7");
    assert_eq!(learned["addresses"].as_array().unwrap().len(), 3);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_refused_name_is_never_asked_for_outside() {
    let (wire, world, mut holder) = start();
    let domains = json!({"mode": "deny_all", "allow_domains": ["*.example.com"]});
    for rules in [json!({"mode": "deny_all"}), domains] {
        holder.set(&rules);
        assert_eq!(look_up(&wire.sandbox, "secret.other.test", A), (REFUSED, 0));
        assert_eq!(look_up_tcp(&wire.sandbox, "other.test"), (REFUSED, 0));
    }
    assert!(!world.was_asked("secret.other.test") && !world.was_asked("other.test"));
    let denials = holder.ask("denials", &json!({}));
    assert_eq!(denials["refused"][0]["lookup"], "secret.other.test");
    assert_eq!(denials["refused"][1]["lookup"], "other.test");
    assert_eq!(denials["refused"].as_array().unwrap().len(), 2);
    assert_eq!(holder.ask("denials", &json!({}))["refused"], json!([]));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_name_that_points_inside_opens_nothing() {
    let (wire, world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["*.example.com"]}));
    assert_eq!(look_up(&wire.sandbox, "evil.example.com", A), (0, 4));
    assert_eq!(look_up(&wire.sandbox, "evil.example.com", AAAA), (0, 1));
    assert!(world.was_asked("evil.example.com"));
    for to in [
        "169.254.169.254:80",
        "10.77.0.1:80",
        "10.77.0.9:80",
        "10.1.2.3:80",
        "[fd00:ec2::254]:80",
    ] {
        assert!(!reaches_tcp(&wire.sandbox, to), "{to}");
    }
    assert_eq!(holder.ask("learned", &json!({}))["addresses"], json!([]));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_denied_range_stays_denied_when_an_allowed_name_points_there() {
    let (wire, _world, mut holder) = start();
    holder.set(
        &json!({"mode": "deny_all", "allow_domains": ["a.example.com"],
        "deny_cidrs": ["203.0.113.0/24"]}),
    );
    assert_eq!(look_up(&wire.sandbox, "a.example.com", A), (0, 1));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_new_policy_forgets_the_addresses_of_names_it_does_not_allow() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["*.example.com"]}));
    look_up(&wire.sandbox, "a.example.com", A);
    look_up(&wire.sandbox, "alias.example.com", A);
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["a.example.com"]}));
    assert!(reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.8:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn every_name_resolves_where_everything_is_allowed() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    assert_eq!(look_up(&wire.sandbox, "other.test", A), (0, 1));
    assert_eq!(look_up_tcp(&wire.sandbox, "other.test"), (0, 1));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_large_answer_is_fetched_over_tcp() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["big.example.com"]}));
    assert_eq!(look_up(&wire.sandbox, "big.example.com", A), (0, 1));
    assert!(reaches_tcp(&wire.sandbox, "198.51.100.9:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_sandbox_cannot_ask_the_upstream_resolver_itself() {
    let (wire, world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["*.example.com"]}));
    let direct = wire
        .sandbox
        .run(|| udp("9.9.9.9:53".parse().unwrap(), &query("direct.test", A)));
    assert!(direct.is_err());
    assert!(!reaches_tcp(&wire.sandbox, "9.9.9.9:53"));
    assert!(!world.was_asked("direct.test"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn garbage_does_not_stop_the_resolver() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    wire.sandbox.run(|| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for length in [0, 1, 11, 12, 13, 500, 2000] {
            socket.send_to(&vec![0xc0; length], "127.0.0.1:53").unwrap();
        }
    });
    assert_eq!(look_up(&wire.sandbox, "other.test", A), (0, 1));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn idle_connections_do_not_keep_others_from_the_resolver() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let idle: Vec<TcpStream> = wire.sandbox.run(|| {
        let connect = |_| TcpStream::connect("127.0.0.1:53").unwrap();
        (0..100).map(connect).collect()
    });
    assert_eq!(look_up(&wire.sandbox, "other.test", A), (0, 1));
    assert_eq!(look_up_tcp(&wire.sandbox, "other.test"), (0, 1));
    drop(idle);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_client_that_sends_a_byte_at_a_time_is_left_after_a_few_seconds() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let mut slow = wire
        .sandbox
        .run(|| TcpStream::connect("127.0.0.1:53").unwrap());
    let started = Instant::now();
    while slow.write_all(&[1]).is_ok() && started.elapsed() < Duration::from_secs(8) {
        sleep(Duration::from_millis(200));
    }
    assert!(started.elapsed() < Duration::from_secs(6));
}

/// Sends queries for `names` at once, and returns the response codes of all answers.
fn look_up_all(sandbox: &Namespace, names: &[String]) -> Vec<u8> {
    sandbox.run(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        for (number, name) in names.iter().enumerate() {
            let mut query = query(name, A);
            query[..2].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
            socket.send_to(&query, "127.0.0.1:53").unwrap();
        }
        let mut answered = BTreeMap::new();
        let mut response = [0; 512];
        while answered.len() < names.len() {
            socket
                .recv(&mut response)
                .expect("every lookup is answered");
            let id = u16::from_be_bytes([response[0], response[1]]);
            answered.insert(id, response[3] & 15);
        }
        answered.into_values().collect()
    })
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_lookup_whose_datagrams_are_lost_is_answered_and_opens_the_address() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_domains": ["*.example.com"]}));
    let names = ["lossy.example.com".to_owned()];
    assert_eq!(look_up_all(&wire.sandbox, &names), [0]);
    assert!(reaches_tcp(&wire.sandbox, "203.0.113.8:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn more_lookups_than_are_carried_out_at_once_are_all_answered() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    let names: Vec<_> = (0..120).map(|n| format!("lossy{n}.example.com")).collect();
    assert_eq!(look_up_all(&wire.sandbox, &names), [0; 120]);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_resolver_that_is_not_there_does_not_keep_the_next_ones_answer_back() {
    let (wire, _world, mut holder) = start();
    let policy = json!({
        "rules": {"mode": "allow_all"}, "environment": environment(),
        "dns_upstreams": ["10.77.0.77", "9.9.9.9"],
    });
    holder.ask("set_policy", &policy);
    assert_eq!(look_up_all(&wire.sandbox, &["other.test".to_owned()]), [0]);
}
