//! Idempotency keys on the routes there are: one effect, whoever asks how often.

use std::sync::Arc;

use axum::http::Method;
use sandbox_api::ApiConfig;
use sandbox_engine::idempotency::{
    self, Idempotency, IdempotencyKey, IdempotencyLimits, IdempotencyStore, MemoryIdempotency,
};
use sandbox_engine::owners::Quotas;
use sandbox_testkit::FAKE_IMAGE;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn two_creates_at_once_make_one_sandbox() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE, "metadata": {"n": "1"}});
    let create = || {
        let ask = world.post("/v1/sandboxes").json(&body);
        ask.header("idempotency-key", "k").send()
    };
    let (one, two, three) = tokio::join!(create(), create(), create());
    let all = [one.expect(201), two.expect(201), three.expect(201)];
    assert!(all.iter().all(|answer| answer.body == all[0].body));
    let replayed =
        |answer: &&crate::support::Answer| answer.header("idempotent-replayed") == "true";
    assert_eq!(all.iter().filter(replayed).count(), 2);
    assert_eq!(world.daemon.sandboxes().len(), 1);

    let other = json!({"image": FAKE_IMAGE, "metadata": {"n": "2"}});
    let other = world
        .post("/v1/sandboxes")
        .json(&other)
        .header("idempotency-key", "k");
    let other = other.send().await.expect(409);
    assert_eq!(other.field(), "idempotency_key");
    assert_eq!(world.daemon.sandboxes().len(), 1);
}

#[tokio::test]
async fn a_create_that_was_refused_leaves_its_key_free() {
    let world = World::new().await;
    let create = async |source: &str, name: &str| {
        let ask = world.post("/v1/sandboxes").json(&json!({source: name}));
        ask.header("idempotency-key", "k").send().await
    };
    create("template", "no-such-template").await.expect(404);
    create("image", FAKE_IMAGE).await.expect(201);
    assert_eq!(world.daemon.sandboxes().len(), 1);
}

#[tokio::test]
async fn a_command_runs_once() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let run = async || {
        let body = json!({"command": "echo ran >> /tmp/runs; cat /tmp/runs"});
        let ask = world.post(format!("/v1/sandboxes/{id}/exec")).json(&body);
        ask.header("idempotency-key", "k").send().await.expect(200)
    };
    let first = run().await;
    assert_eq!(first.json()["stdout"], "ran\n");
    let again = run().await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.body, first.body);
    let file = world
        .get(format!("/v1/sandboxes/{id}/files/tmp/runs"))
        .send()
        .await
        .expect(200);
    assert_eq!(file.body, "ran\n");
}

#[tokio::test]
async fn a_file_is_written_once() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}/files/tmp/once");
    let write = async |content: &'static str| {
        let ask = world.ask(Method::PUT, &path).body(content);
        ask.header("idempotency-key", "k").send().await
    };
    write("one").await.expect(204);
    world
        .put(&path)
        .body("changed since")
        .send()
        .await
        .expect(204);
    let again = write("one").await.expect(204);
    assert_eq!(again.header("idempotent-replayed"), "true");
    write("two").await.expect(409);
    let file = world.get(&path).send().await.expect(200);
    assert_eq!(file.body, "changed since");
}

#[tokio::test]
async fn a_key_is_made_once_shown_once_and_kept_nowhere() {
    let store = Arc::new(MemoryIdempotency::default());
    let mut config = ApiConfig::default();
    config.idempotency = Idempotency::new(store.clone(), IdempotencyLimits::default());
    let world = World::with(config, Quotas::default()).await;
    let make = async || {
        let ask = world.ask_as(&world.acme.admin, Method::POST, "/v1/keys");
        let ask = ask.json(&json!({"name": "ci", "scopes": ["read"]}));
        ask.header("idempotency-key", "k").send().await
    };
    let organisation = &world.acme.organisation.id;
    let before = world.owners.keys(organisation).await.unwrap().len();
    let first = make().await.expect(201).json();
    let key = first["key"].as_str().unwrap();
    world
        .ask_as(key, Method::GET, "/v1/sandboxes")
        .send()
        .await
        .expect(200);

    let again = make().await.expect(409);
    assert_eq!(again.field(), "idempotency_key");
    assert!(!again.json().to_string().contains(key));
    let after = world.owners.keys(organisation).await.unwrap().len();
    assert_eq!(after, before + 1);
    let asked = IdempotencyKey::new("k").unwrap();
    let asked = idempotency::Request::http(organisation.as_str(), "POST", "/v1/keys", asked);
    let record = store.load(&asked).await.unwrap().unwrap();
    assert!(!format!("{record:?}").contains(key));
}

#[tokio::test]
async fn what_only_looks_is_answered_anew_and_its_secrets_are_not_kept() {
    let store = Arc::new(MemoryIdempotency::default());
    let mut config = ApiConfig::default();
    let kept = Arc::clone(&store) as Arc<dyn IdempotencyStore>;
    config.idempotency = Idempotency::new(kept, IdempotencyLimits::default());
    let world = World::with(config, Quotas::default()).await;
    let body = json!({"image": FAKE_IMAGE, "env": {"TOKEN": "hush"}});
    let made = world.post("/v1/sandboxes").json(&body).send().await;
    let id = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let ask = world.get(format!("/v1/sandboxes/{id}/environment"));
        let shown = ask.header("idempotency-key", "k").send().await.expect(200);
        assert_eq!(shown.json()["env"]["TOKEN"], "hush");
        assert_eq!(shown.header("idempotent-replayed"), "");
    }
    let owner = world.acme.organisation.id.as_str();
    assert_eq!(store.totals(owner).await.unwrap().records, 0);
}
