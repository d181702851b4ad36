//! Snapshots over the API.

use axum::http::Method;
use sandbox_core::{SnapshotId, Source};
use sandbox_engine::CreateRequest;
use sandbox_testkit::Call;

use crate::stream::Events;
use crate::support::World;

#[tokio::test]
async fn a_snapshot_is_taken_found_used_and_removed_by_its_owner() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    assert_eq!(
        world.get("/v1/snapshots").send().await.expect(200).json()["snapshots"],
        serde_json::json!([])
    );
    let take = || world.post(format!("/v1/sandboxes/{id}/snapshots"));
    let first = take().send().await.expect(201).json();
    world.clock.advance(std::time::Duration::from_secs(1));
    let second = take().send().await.expect(201).json();
    assert_eq!(first["sandbox_id"], id.as_str());
    assert_eq!(first["runtime"], "fake");
    let listed = world.get("/v1/snapshots").send().await.expect(200).json();
    assert_eq!(
        listed["snapshots"],
        serde_json::json!([second, first]),
        "newest first"
    );
    let path = format!("/v1/snapshots/{}", first["id"].as_str().unwrap());
    assert_eq!(world.get(&path).send().await.expect(200).json(), first);

    let snapshot = SnapshotId::new(first["id"].as_str().unwrap()).unwrap();
    let request = CreateRequest::from_source(Source::Snapshot(snapshot)).owner(world.acme.owner());
    world.engine.create(request).await.unwrap();
    world.delete(&path).send().await.expect(204);
    for method in [Method::GET, Method::DELETE] {
        let answer = world.ask(method, &path).send().await.expect(404);
        assert_eq!(answer.field(), "snapshot_id");
    }
    assert_eq!(world.daemon.snapshots().len(), 1);
}

#[tokio::test]
async fn anothers_snapshot_is_answered_like_one_that_does_not_exist() {
    let world = World::new().await;
    let theirs = world.sandbox(&world.rival).await;
    let theirs = world.engine.snapshot(&theirs).await.unwrap();
    let calls = world.daemon.faults();
    let gone = |path: &str| path.replace(theirs.as_str(), "ID");
    let mut answers = Vec::new();
    for id in [theirs.as_str(), "never", "NO-ID%00", "%2e%2e%2fx"] {
        let path = format!("/v1/snapshots/{id}");
        for method in [Method::GET, Method::DELETE] {
            let answer = world.ask(method, &path).send().await.expect(404);
            answers.push((answer.code(), answer.field(), gone(&path)));
        }
        let body = serde_json::json!({"snapshot": "never"});
        let body = match id.contains('%') {
            true => body,
            false => serde_json::json!({"snapshot": id}),
        };
        let prepared = world
            .post("/v1/prepare")
            .json(&body)
            .send()
            .await
            .expect(404);
        assert_eq!(prepared.code(), "not_found");
    }
    assert!(
        answers
            .iter()
            .all(|(code, field, _)| code == "not_found" && field == "snapshot_id")
    );
    assert_eq!(calls.count(Call::RemoveSnapshot), 0);
    assert_eq!(calls.count(Call::Prepare), 0);
    assert_eq!(world.daemon.snapshots(), [theirs]);
    let listed = world.get("/v1/snapshots").send().await.expect(200).json();
    assert_eq!(listed["snapshots"], serde_json::json!([]));
    let sandbox = world.sandbox(&world.rival).await;
    let taken = world
        .post(format!("/v1/sandboxes/{sandbox}/snapshots"))
        .send()
        .await;
    taken.expect(403);
}

#[tokio::test]
async fn what_is_prepared_is_told_up_to_its_end() {
    let world = World::new().await;
    let snapshot = world
        .engine
        .snapshot(&world.sandbox(&world.acme).await)
        .await
        .unwrap();
    for body in [
        serde_json::json!({"image": "fake"}),
        serde_json::json!({"image": "fake", "runtime": "fake"}),
        serde_json::json!({"snapshot": snapshot.as_str()}),
    ] {
        let events = Events::of(world.post("/v1/prepare").json(&body).open().await);
        let told = events.rest().await;
        let names: Vec<_> = told.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["progress", "done"], "{body}");
    }
    for (body, status, field) in [
        (serde_json::json!({}), 400, "template"),
        (
            serde_json::json!({"image": "fake", "template": "python"}),
            400,
            "template",
        ),
        (
            serde_json::json!({"image": "fake", "snapshot": "x"}),
            400,
            "snapshot",
        ),
        (serde_json::json!({"template": "no-such"}), 404, "template"),
        (serde_json::json!({"image": "no-such"}), 404, "image"),
        (
            serde_json::json!({"image": "fake", "runtime": "other"}),
            404,
            "runtime",
        ),
        (serde_json::json!({"image": 1}), 400, "image"),
    ] {
        let answer = world.post("/v1/prepare").json(&body).send().await;
        assert_eq!(answer.expect(status).field(), field, "{body}");
    }
    let read = world.ask_as(&world.acme.read, Method::POST, "/v1/prepare");
    read.json(&serde_json::json!({"image": "fake"}))
        .send()
        .await
        .expect(403);
    let once = world.post("/v1/prepare").header("idempotency-key", "k");
    let once = once
        .json(&serde_json::json!({"image": "fake"}))
        .send()
        .await
        .expect(400);
    assert_eq!(once.field(), "idempotency_key");
}
