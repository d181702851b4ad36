//! Whatever arrives, the agent lives and serves.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sandbox_agent::protocol::{Encoder, Header, Hello, Kind, VERSION};

use crate::harness::{Agent, plain, sh};

const LEASE: u64 = 42;

fn hello() -> Vec<u8> {
    let hello = Hello {
        version: VERSION,
        client: 7,
        channels: Vec::new(),
    };
    packet(Kind::Hello, 0, 0, 0, &serde_json::to_vec(&hello).unwrap())
}

fn packet(kind: Kind, channel: u32, offset: u64, tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header {
        lease: LEASE,
        channel,
        offset,
        kind,
        tag,
    };
    Encoder::default().packet(&header, body, &mut bytes);
    bytes
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Welcome,
        Kind::LeaseLost,
        Kind::Garbled,
        Kind::Request,
        Kind::Reply,
        Kind::Data,
        Kind::Ack,
        Kind::Cancel,
        Kind::Notice,
    ])
}

/// Requests that are half right.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        prop::sample::select(vec![
            r#""ping""#,
            r#""stats""#,
            r#""processes""#,
            r#"{"attach":{"pid":4294967295}}"#,
            r#"{"signal":{"pid":0,"signal":9}}"#,
            r#"{"signal":{"pid":4294967295,"signal":9}}"#,
            r#"{"signal":{"pid":1,"signal":65}}"#,
            r#"{"signal_group":{"process":1,"signal":19}}"#,
            r#"{"resize":{"process":1,"size":{"cols":0,"rows":0}}}"#,
            r#"{"connect":{"port":0}}"#,
            r#"{"stat":{"path":"/../.."}}"#,
            r#"{"stat":{"path":"relative"}}"#,
            r#"{"read":{"path":"/dev/null","options":{"offset":18446744073709551615,"length":null}}}"#,
            r#"{"read":{"path":"/etc/passwd","options":{"offset":18446744073709551615,"length":18446744073709551615}}}"#,
            r#"{"remove":{"path":"/","recursive":true}}"#,
            r#"{"list":{"path":"/etc","options":{"depth":4294967295,"limit":3}}}"#,
            r#"{"spawn":{"program":{"argv":[]},"env":{},"cwd":null,"user":null,"stdin":"null","pty":null,"timeout":null}}"#,
            r#"{"spawn":{"program":{"argv":["true"]},"env":{"A=B":""},"cwd":null,"user":null,"stdin":"piped","pty":null,"timeout":{"secs":18446744073709551615,"nanos":1}}}"#,
            r#"{"spawn":{"program":{"argv":["true"]},"env":{},"cwd":null,"user":null,"stdin":"piped","pty":null,"timeout":{"secs":18446744073709551615,"nanos":1}}}"#,
            r#"{"spawn":{"program":{"argv":["cat"]},"env":{},"cwd":null,"user":null,"stdin":"piped","pty":{"cols":65535,"rows":65535},"timeout":null}}"#,
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let offset = prop_oneof![0u64..100, any::<u64>()];
    let packets = (kinds(), 0u32..12, offset, 0u8..8, bodies())
        .prop_map(|(kind, channel, offset, tag, body)| packet(kind, channel, offset, tag, &body));
    prop_oneof![
        5 => packets,
        1 => proptest::collection::vec(any::<u8>(), 0..500),
        1 => Just(hello()),
    ]
}

#[tokio::test]
async fn any_traffic_at_all_leaves_it_serving() {
    let agent = Agent::start(&mut plain());
    let mut runner = TestRunner::deterministic();
    agent.inject(&hello()).await;
    for _ in 0..4000 {
        let bytes = traffic().new_tree(&mut runner).unwrap().current();
        agent.inject(&bytes).await;
    }
    agent.inject(&[0]).await;
    let client = agent.client().await;
    assert_eq!(sh(&client, "echo alive").await.out, b"alive\n");
}

#[tokio::test]
async fn data_beyond_the_window_costs_the_sender_its_channel() {
    let agent = Agent::start(&mut plain());
    agent.inject(&hello()).await;
    let spawn = r#"{"spawn":{"program":{"argv":["sleep","100"]},"env":{},"cwd":null,"user":null,"stdin":"piped","pty":null,"timeout":null}}"#;
    agent
        .inject(&packet(Kind::Request, 1, 0, 0, spawn.as_bytes()))
        .await;
    let chunk = vec![1; 60_000];
    for i in 0..200u64 {
        agent
            .inject(&packet(Kind::Data, 1, i * 60_000, 0, &chunk))
            .await;
    }
    let client = agent.client().await;
    client.ping().await.unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 32 * 1024, "{kib} KiB at the most");
}
