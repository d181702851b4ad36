//! Egress policies over the API.

use axum::http::Method;
use sandbox_core::ErrorKind;
use sandbox_testkit::{Call, Fault, When};
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_policy_is_in_force_when_the_answer_comes() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}/egress");
    let before = world.get(&path).send().await.expect(200).json();
    assert_eq!(before, json!({"mode": "deny_all"}));
    for policy in [
        json!({"mode": "allow_all"}),
        json!({"mode": "deny_all"}),
        json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.0/24"], "allow_ports": [443],
            "deny_cidrs": ["203.0.113.7/32"], "allow_domains": ["*.example.org"]}),
        json!({"mode": "allow_all_but", "deny_cidrs": ["198.51.100.0/24"]}),
    ] {
        let answer = world.put(&path).json(&policy).send().await.expect(200);
        assert_eq!(answer.json(), policy);
        assert_eq!(world.get(&path).send().await.expect(200).json(), policy);
        let enforced = &world.daemon.sandboxes()[&id].egress;
        let shown = sandbox_api_types::EgressPolicy::from(enforced);
        assert_eq!(serde_json::to_value(shown).unwrap(), policy);
        let shown = world.get(format!("/v1/sandboxes/{id}")).send().await.json();
        assert_eq!(shown["egress"], policy);
    }
}

#[tokio::test]
async fn what_makes_no_policy_is_refused_by_its_field_and_changes_nothing() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}/egress");
    let before = world.get(&path).send().await.expect(200).json();
    let cidrs: Vec<String> = (0..20_000)
        .map(|n| format!("10.0.{}.{}", n / 256, n % 256))
        .collect();
    for (body, field) in [
        (json!({}), "mode"),
        (json!({"mode": "allow_some"}), "mode"),
        (json!({"mode": null}), "mode"),
        (
            json!({"mode": "allow_all", "allow_cidrs": ["203.0.113.0/24"]}),
            "allow_cidrs",
        ),
        (
            json!({"mode": "allow_all", "deny_cidrs": ["203.0.113.0/24"]}),
            "deny_cidrs",
        ),
        (
            json!({"mode": "allow_all", "allow_ports": [443]}),
            "allow_ports",
        ),
        (
            json!({"mode": "allow_all", "allow_domains": ["example.org"]}),
            "allow_domains",
        ),
        (
            json!({"mode": "deny_all", "allow_ports": [443]}),
            "allow_ports",
        ),
        (json!({"mode": "allow_all_but"}), "deny_cidrs"),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.0/24", "203.0.113.0/33"]}),
            "allow_cidrs[1]",
        ),
        (
            json!({"mode": "deny_all", "deny_cidrs": ["everything"]}),
            "deny_cidrs[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["::/0"], "allow_ports": [443, 0]}),
            "allow_ports[1]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["::/0"], "allow_ports": [65536]}),
            "allow_ports[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["::/0"], "allow_ports": [-1]}),
            "allow_ports[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["::/0"], "allow_ports": ["443"]}),
            "allow_ports[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_domains": ["*"]}),
            "allow_domains[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": cidrs}),
            "allow_cidrs",
        ),
        (
            json!({"mode": "deny_all", "allow_hosts": []}),
            "allow_hosts",
        ),
    ] {
        let answer = world.put(&path).json(&body).send().await;
        let answer = answer.expect(400);
        assert_eq!(answer.field(), field);
    }
    assert_eq!(world.get(&path).send().await.expect(200).json(), before);
    assert_eq!(world.daemon.faults().count(Call::SetEgress), 0);
}

#[tokio::test]
async fn a_runtime_that_fails_says_nothing_of_itself() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let fault = Fault::fail(Call::SetEgress, When::Before, ErrorKind::Internal);
    world
        .daemon
        .faults()
        .inject(fault.with_message("/run/secret.sock", None));
    let ask = world.put(format!("/v1/sandboxes/{id}/egress"));
    let answer = ask
        .json(&json!({"mode": "allow_all"}))
        .send()
        .await
        .expect(500);
    assert!(!answer.json().to_string().contains("secret"));
}

#[tokio::test]
async fn a_destination_is_explained_by_the_rule_that_decides() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}/egress");
    let policy = json!({"mode": "deny_all", "allow_cidrs": ["203.0.113.0/24"],
        "allow_ports": [443], "deny_cidrs": ["203.0.113.7"], "allow_domains": ["example.org"]});
    world.put(&path).json(&policy).send().await.expect(200);
    for (destination, allowed, rule, field) in [
        (
            json!("203.0.113.1:443"),
            true,
            "allow_cidr",
            Some("egress.allow_cidrs[0]"),
        ),
        (
            json!("203.0.113.1:80"),
            false,
            "port_not_allowed",
            Some("egress.allow_ports"),
        ),
        (
            json!("203.0.113.7:443"),
            false,
            "deny_cidr",
            Some("egress.deny_cidrs[0]"),
        ),
        (
            json!({"host": "198.51.100.1", "port": 443}),
            false,
            "deny_all",
            Some("egress.mode"),
        ),
        (
            json!({"host": "198.51.100.1", "port": 53, "protocol": "udp"}),
            false,
            "deny_all",
            Some("egress.mode"),
        ),
        (
            json!("example.org"),
            true,
            "allow_domain",
            Some("egress.allow_domains[0]"),
        ),
    ] {
        // It changes nothing, so that a key for reading is enough.
        let ask = world.ask_as(&world.acme.read, Method::POST, format!("{path}/explain"));
        let body = json!({"destination": destination});
        let explained = ask.json(&body).send().await.expect(200).json();
        assert_eq!(explained["allowed"], allowed, "{explained}");
        assert_eq!(explained["rule"], rule, "{explained}");
        assert_eq!(explained["field"].as_str(), field, "{explained}");
    }
    for (body, field) in [
        (json!({}), "destination"),
        (json!({"destination": ""}), "destination"),
        (json!({"destination": "not a host:99999"}), "destination"),
        (
            json!({"destination": {"host": "203.0.113.1", "port": 70000}}),
            "destination",
        ),
        (
            json!({"destination": {"host": "203.0.113.1", "protocol": "tcp"}}),
            "destination.port",
        ),
        (
            json!({"destination": {"host": "example.org", "port": 443}}),
            "destination.host",
        ),
    ] {
        let ask = world.post(format!("{path}/explain"));
        let answer = ask.json(&body).send().await.expect(400);
        assert_eq!(answer.field(), field, "{body}");
    }
}
