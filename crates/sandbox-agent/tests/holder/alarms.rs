//! What the holder tells without being asked.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::probe::{reaches_tcp, udp};
use crate::support::{Holder, start};

fn denied(holder: &mut Holder) -> u64 {
    let stats = holder.ask("stats", &json!({}));
    stats["denied"].as_u64().unwrap()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn refusals_are_told_as_they_happen_under_every_policy() {
    let (wire, _world, mut holder) = start();
    assert_eq!(holder.ready["denials"], true);
    let mut told = 0;
    for rules in [
        json!({"mode": "deny_all"}),
        json!({"mode": "allow_all", "deny_cidrs": ["203.0.113.0/24"]}),
        json!({"mode": "deny_all", "allow_cidrs": ["198.51.100.0/24"]}),
    ] {
        holder.set(&rules);
        // More than once: the alarm is set again each time.
        for _ in 0..2 {
            assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
            let now = holder.told();
            assert_eq!(now, told + 1);
            told = now;
        }
    }
    assert_eq!(denied(&mut holder), told);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_refused_lookup_is_told() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x05other\x04test\0\0\x01\0\x01";
    wire.sandbox
        .run(|| udp("127.0.0.1:53".parse().unwrap(), query).unwrap());
    assert_eq!(holder.told(), 1);
    assert_eq!(denied(&mut holder), 1);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_flood_of_refusals_is_a_line_a_second_and_none_is_forgotten() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < Duration::from_secs(3) {
        assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
        sent += 1;
    }
    let mut lines = 1;
    while holder.told() < sent {
        lines += 1;
    }
    assert!(lines <= started.elapsed().as_secs() + 1, "{lines} lines");
    assert!(lines < sent, "{sent} refusals are too few to tell");
    assert_eq!(denied(&mut holder), sent);
}

/// How often the threads of `pid` went to sleep: each time they had been awake.
fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .map(|status| {
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.unwrap().trim().parse::<u64>().unwrap()
        })
        .sum()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_sandbox_that_does_nothing_wakes_no_thread() {
    let (wire, _world, mut holder) = start();
    holder.set(&json!({"mode": "deny_all"}));
    assert!(!reaches_tcp(&wire.sandbox, "203.0.113.7:443"));
    holder.told();
    // What there was to do is done when two looks a while apart are the same.
    let quiet = (0..30).any(|_| {
        let before = sleeps(holder.pid());
        sleep(Duration::from_secs(3));
        sleeps(holder.pid()) == before
    });
    assert!(quiet);
}
