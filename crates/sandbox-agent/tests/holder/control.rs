//! The line protocol, and starting.

use std::io::Read;
use std::os::unix::process::CommandExt;

use serde_json::{Value, json};

use crate::support::probe::reaches_tcp;
use crate::support::{Holder, Wire, holder, start};

#[test]
#[ignore = "needs root and network namespaces"]
fn a_namespace_that_cannot_be_closed_is_never_called_ready() {
    let wire = Wire::new();
    let mut child = wire
        .sandbox
        .run(|| holder::command().uid(65534).gid(65534).spawn().unwrap());
    let mut said = String::new();
    let mut output = child.stdout.take().unwrap();
    output.read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(
        said["error"].is_string() && said["ready"].is_null(),
        "{said}"
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn lines_that_make_no_sense_are_answered_and_change_nothing() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.7"]}));
    for (line, id) in [
        ("garbage", Value::Null),
        ("{}", Value::Null),
        ("\u{0}", Value::Null),
        (r#"{"id":8}"#, json!(8)),
        (r#"{"id":9,"stats":{},"learned":{}}"#, json!(9)),
        (
            r#"{"id":10,"set_policy":{"rules":{"mode":"allow"}}}"#,
            json!(10),
        ),
        (
            r#"{"id":11,"set_policy":{"rules":{"mode":"allow_all"},"environment":{"gatewy":[]}}}"#,
            json!(11),
        ),
        (
            r#"{"id":12,"set_policy":{"rules":{"mode":"allow_all"},"dns_upstreams":["x"]}}"#,
            json!(12),
        ),
    ] {
        holder.send(line.as_bytes());
        holder.send(b"\n");
        let answer = holder.read();
        assert_eq!(answer["id"], id, "{line}");
        assert!(answer["error"].is_string(), "{line}: {answer}");
    }
    assert!(reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.8:443"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn half_a_line_is_left_behind_by_a_newline() {
    let (_wire, _world, mut holder) = start();
    holder.send(br#"{"id":1,"set_policy":{"rules":{"mode":"allow_"#);
    holder.send(b"\n");
    assert!(holder.read()["error"].is_string());
    holder.ask("stats", &json!({}));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_line_without_end_is_refused_and_the_next_one_taken() {
    let (_wire, _world, mut holder) = start();
    let long = vec![b' '; sandbox_agent::holder::MAX_LINE + 10];
    holder.send(&long);
    holder.send(b"\n");
    let answer = holder.read();
    assert!(answer["error"].as_str().unwrap().contains("longer than"));
    holder.ask("stats", &json!({}));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_largest_policy_is_loaded_and_explained() {
    let (wire, _world, mut holder) = start();
    let ranges: Vec<_> = (0..256u32)
        .map(|n| format!("100.{}.{}.0/25", 128 + n % 100, n / 2))
        .collect();
    let domains: Vec<_> = (0..256).map(|n| format!("*.d{n}.example")).collect();
    let ports: Vec<_> = (1..=128).collect();
    holder.set(
        &json!({"mode": "deny_all", "allow_cidrs": ranges, "deny_cidrs": ranges,
        "allow_ports": ports, "allow_domains": domains}),
    );
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    let denied = json!({"address": "100.128.0.1", "port": 80});
    let explanation = holder.ask("explain", &denied);
    assert_eq!(explanation["verdict"], "deny");
    assert_eq!(explanation["field"], "egress.deny_cidrs[0]");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_holder_ends_with_its_input() {
    let wire = Wire::new();
    let holder = Holder::start(&wire.sandbox);
    assert!(holder.end().success());
}

#[test]
#[ignore = "needs root and network namespaces"]
fn counters_go_on_when_the_policy_changes() {
    let (wire, _world, mut holder) = start();
    for round in 1..=3 {
        holder.set(&json!({"mode": "deny_all"}));
        assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
        let stats = holder.ask("stats", &json!({}));
        assert_eq!(stats["denied"], round);
    }
}
