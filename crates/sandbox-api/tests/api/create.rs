//! Making sandboxes.

use std::time::Duration;

use axum::http::Method;
use sandbox_api::ApiConfig;
use sandbox_core::{ErrorKind, SandboxId, Source};
use sandbox_engine::owners::Quotas;
use sandbox_testkit::{Call, FAKE_IMAGE, Fault, When};
use serde_json::{Value, json};

use crate::stream::soon;
use crate::support::World;

fn id_of(shown: &Value) -> SandboxId {
    SandboxId::new(shown["id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn everything_that_is_asked_for_is_made() {
    let world = World::new().await;
    let body = json!({
        "image": FAKE_IMAGE, "id": "mine", "mode": "persistent", "timeout": "10m",
        "idle_timeout": "20m", "auto_wake": true, "size": "shared-cpu-2x",
        "resources": {"memory": 67_108_864, "disk": 10_485_760, "pids": 64, "open_files": 128},
        "env": {"COLOUR": "blue"}, "metadata": {"user": "42"},
        "egress": {"mode": "deny_all", "allow_cidrs": ["203.0.113.0/24"], "allow_ports": [443]},
        "runtime": "fake", "workdir": "/tmp", "user": "nobody", "hostname": "box",
        "start": ["sleep", "1000"],
    });
    let answer = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201);
    assert_eq!(answer.header("location"), "/v1/sandboxes/mine");
    let shown = answer.json();
    for (field, value) in [
        ("id", json!("mine")),
        ("status", json!("running")),
        ("mode", json!("persistent")),
        ("image", json!(FAKE_IMAGE)),
        ("template", Value::Null),
        ("runtime", json!("fake")),
        ("size", Value::Null),
        ("metadata", json!({"user": "42"})),
        ("auto_wake", json!(true)),
        ("idle_timeout_seconds", json!(1200)),
        ("timeout_seconds", Value::Null),
        ("expires_at", Value::Null),
        ("workdir", json!("/tmp")),
        ("user", json!("nobody")),
        ("hostname", json!("box")),
        ("usage_seconds", json!(0)),
        ("available", json!(true)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(
        shown["resources"],
        json!({"milli_cpus": 2000, "memory": 67_108_864, "disk": 10_485_760, "pids": 64, "open_files": 128})
    );
    assert_eq!(shown["egress"]["allow_ports"], json!([443]));
    assert!(shown.get("env").is_none(), "secrets are not shown");

    let id = id_of(&shown);
    let made = world.daemon.sandboxes()[&id].clone();
    assert_eq!(made.spec.env()["COLOUR"], "blue");
    let processes = world.engine.processes(&id).unwrap();
    assert!(processes.is_empty() || made.processes > 0, "{made:?}");
    assert!(made.processes > 0, "its command was started");
    let got = world
        .get("/v1/sandboxes/mine")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(got, shown);
}

#[tokio::test]
async fn defaults_are_those_of_the_contract() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE});
    let shown = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    assert!(shown["id"].as_str().unwrap().starts_with("sbx_"));
    assert_eq!(shown["mode"], "ephemeral");
    assert_eq!(shown["size"], "shared-cpu-1x");
    assert_eq!(shown["timeout_seconds"], 300);
    assert_eq!(shown["on_timeout"], "kill");
    let expires = world.clock.now().plus(Duration::from_secs(300)).to_string();
    assert_eq!(shown["expires_at"], expires);
    // Of a template that there is none of, nothing is inherited.
    assert_eq!(shown["egress"]["mode"], "deny_all");

    let body = json!({"image": FAKE_IMAGE, "mode": "persistent"});
    let shown = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    assert_eq!(shown["idle_timeout_seconds"], 600);
}

#[tokio::test]
async fn a_policy_that_is_left_out_is_the_templates() {
    let world = World::new().await;
    let python = world.engine.template(&"python".parse().unwrap()).unwrap();
    let Source::Image(image) = &python.source else {
        panic!("{python:?}");
    };
    world.daemon.add_image(image);
    for (egress, mode) in [
        (None, "allow_all"),
        (Some(json!({"mode": "deny_all"})), "deny_all"),
    ] {
        let mut body = json!({"template": "python"});
        if let Some(egress) = egress {
            body["egress"] = egress;
        }
        let shown = world
            .post("/v1/sandboxes")
            .json(&body)
            .send()
            .await
            .expect(201)
            .json();
        assert_eq!(shown["template"], "python");
        assert_eq!(shown["egress"]["mode"], mode);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_and_leaves_nothing() {
    let world = World::new().await;
    let image = |more: Value| {
        let mut body = json!({"image": FAKE_IMAGE});
        let fields = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        body
    };
    let egress = |egress: Value| image(json!({"egress": egress}));
    let cidr = json!(["203.0.113.0/24"]);
    for (body, status, field) in [
        (json!({}), 400, "template"),
        (json!({"template": "nothing"}), 404, "template"),
        (json!({"template": "../etc"}), 400, "template"),
        (
            json!({"template": "python", "image": FAKE_IMAGE}),
            400,
            "template",
        ),
        (json!({"image": "nothing-of-this-name"}), 404, "image"),
        (json!({"snapshot": "snap_none"}), 404, "snapshot"),
        (image(json!({"mode": "forever"})), 400, "mode"),
        (image(json!({"size": "huge"})), 400, "size"),
        (image(json!({"timeout": "24h1s"})), 400, "timeout"),
        (image(json!({"timeout": "0s"})), 400, "timeout"),
        (image(json!({"timeout": "soon"})), 400, "timeout"),
        (image(json!({"timeout": 60})), 400, "timeout"),
        (
            image(json!({"mode": "persistent", "idle_timeout": "25h"})),
            400,
            "idle_timeout",
        ),
        (image(json!({"id": "../x"})), 400, "id"),
        (image(json!({"id": ""})), 400, "id"),
        (image(json!({"runtime": "other"})), 404, "runtime"),
        (image(json!({"start": "  "})), 400, "start"),
        (image(json!({"start": []})), 400, "start"),
        (image(json!({"env": {"A=B": "x"}})), 400, "env"),
        (image(json!({"env": {"A": 5}})), 400, "env.A"),
        (image(json!({"workdir": "relative"})), 400, "workdir"),
        (
            image(json!({"resources": {"memory": 1}})),
            400,
            "resources.memory",
        ),
        (
            image(json!({"resources": {"cpus": -1}})),
            400,
            "resources.cpus",
        ),
        (
            image(json!({"resources": {"gpus": 1}})),
            400,
            "resources.gpus",
        ),
        (image(json!({"owner": "rival"})), 400, "owner"),
        (egress(json!({"mode": "some"})), 400, "egress.mode"),
        (egress(json!({"allow_cidrs": cidr})), 400, "egress.mode"),
        (
            egress(json!({"mode": "allow_all", "allow_cidrs": cidr})),
            400,
            "egress.allow_cidrs",
        ),
        (
            egress(json!({"mode": "allow_all", "deny_cidrs": cidr})),
            400,
            "egress.deny_cidrs",
        ),
        (
            egress(json!({"mode": "deny_all", "allow_ports": [80]})),
            400,
            "egress.allow_ports",
        ),
        (
            egress(json!({"mode": "deny_all", "allow_cidrs": ["300.0.0.0/8"]})),
            400,
            "egress.allow_cidrs[0]",
        ),
        (
            egress(json!({"mode": "deny_all", "allow_cidrs": cidr, "allow_ports": [80, 0]})),
            400,
            "egress.allow_ports[1]",
        ),
    ] {
        let answer = world.post("/v1/sandboxes").json(&body).send().await;
        let answer = answer.expect(status);
        assert_eq!(answer.field(), field, "{body}: {answer:?}");
    }
    let listed = world.get("/v1/sandboxes").send().await.expect(200).json();
    let left = listed["sandboxes"].as_array().unwrap();
    let states: Vec<_> = left.iter().map(|shown| &shown["status"]).collect();
    // What the runtime itself refused is shown as failed, and holds nothing.
    assert!(
        states.iter().all(|status| *status == "failed"),
        "{states:?}"
    );
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn a_timeout_over_the_maximum_names_it() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE, "timeout": "2d"});
    let answer = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(400);
    let message = answer.json()["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("24h"), "{message}");
}

#[tokio::test]
async fn without_waiting_the_answer_comes_while_it_is_being_made() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Create, When::Before));
    let body = json!({"image": FAKE_IMAGE, "wait": false});
    let shown = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    assert_eq!(shown["status"], "creating");
    assert_eq!(shown["expires_at"], Value::Null);

    world.daemon.faults().wait_for_hanging(1).await;
    world.daemon.faults().release();
    let path = format!("/v1/sandboxes/{}", id_of(&shown));
    soon(async {
        while world.get(&path).send().await.json()["status"] != "running" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_is_used_once_whosever_it_is() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE, "id": "taken"});
    world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201);
    for key in [&world.acme.write, &world.rival.write] {
        let again = world.ask_as(key, Method::POST, "/v1/sandboxes").json(&body);
        assert_eq!(again.send().await.expect(409).field(), "id");
    }
    world.delete("/v1/sandboxes/taken").send().await.expect(204);
    let again = world.post("/v1/sandboxes").json(&body);
    assert_eq!(again.send().await.expect(409).field(), "id");
}

#[tokio::test]
async fn a_quota_is_refused_as_something_that_frees_itself() {
    let quotas = Quotas {
        concurrent_sandboxes: Some(1),
        ..Quotas::default()
    };
    let world = World::with(ApiConfig::default(), quotas).await;
    let body = json!({"image": FAKE_IMAGE});
    let first = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201)
        .json();
    let refused = world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(429);
    assert_eq!(refused.field(), "quotas.concurrent_sandboxes");

    let path = format!("/v1/sandboxes/{}", id_of(&first));
    world.delete(path).send().await.expect(204);
    world
        .post("/v1/sandboxes")
        .json(&body)
        .send()
        .await
        .expect(201);
}

#[tokio::test]
async fn the_same_key_makes_one_sandbox() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE});
    let ask = |body: &Value| {
        let ask = world.post("/v1/sandboxes").header("idempotency-key", "k");
        ask.json(body).send()
    };
    let first = ask(&body).await.expect(201);
    let second = ask(&body).await.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(world.daemon.sandboxes().len(), 1);
    let other = ask(&json!({"image": FAKE_IMAGE, "mode": "persistent"})).await;
    assert_eq!(other.expect(409).field(), "idempotency_key");
}

#[tokio::test]
async fn a_named_create_that_failed_is_no_success_under_the_same_key() {
    let world = World::new().await;
    let fault = Fault::fail(Call::Create, When::Before, ErrorKind::Unavailable);
    world.daemon.faults().inject(fault);
    for _ in 0..3 {
        let ask = world.post("/v1/sandboxes").header("idempotency-key", "k");
        let ask = ask.json(&json!({"image": FAKE_IMAGE, "id": "away"}));
        ask.send().await.expect(503);
    }
    assert!(world.daemon.sandboxes().is_empty());
}
