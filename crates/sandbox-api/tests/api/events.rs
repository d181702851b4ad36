//! Following what happens.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use futures_util::StreamExt;
use sandbox_api::ApiConfig;
use sandbox_core::SandboxId;
use sandbox_engine::owners::Quotas;
use sandbox_engine::store::{Retention, Store};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stream::{Events, Told, soon, until};
use crate::support::World;
use crate::wire::Server;

async fn write(world: &World, id: &SandboxId, name: &str) {
    let path = format!("/v1/sandboxes/{id}/files/{name}");
    world.put(path).body("x").send().await.expect(204);
}

/// The events up to the first that says that `name` was written.
async fn up_to(events: &mut Events, name: &str) -> Vec<Told> {
    let mut all = Vec::new();
    loop {
        let told = events.next().await.expect("the stream goes on");
        let is_last = told.data["type"] == "file_written" && told.data["path"] == name;
        all.push(told);
        if is_last {
            return all;
        }
    }
}

#[tokio::test]
async fn what_is_kept_comes_first_and_then_what_happens_each_under_its_number() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    write(&world, &id, "one").await;
    for path in [
        "/v1/events?from=0".to_owned(),
        format!("/v1/events?from=1&sandbox_id={id}"),
        format!("/v1/sandboxes/{id}/events?from=0"),
    ] {
        let mut events = Events::of(world.get(&path).open().await);
        let kept = up_to(&mut events, "/one").await;
        let kinds: Vec<_> = kept
            .iter()
            .map(|told| told.data["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds[0], "created", "{path}");
        assert!(kinds.contains(&"running"));
        for told in &kept {
            assert_eq!(told.name, "event");
            assert_eq!(told.id, told.data["seq"].as_u64());
            assert_eq!(told.data["sandbox_id"], id.as_str());
        }
        assert!(kept.is_sorted_by_key(|told| told.id));
        write(&world, &id, "two").await;
        up_to(&mut events, "/two").await;
    }
}

#[tokio::test]
async fn without_a_number_only_what_happens_from_now_on_is_told() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    write(&world, &id, "before").await;
    let mut events = Events::of(world.get("/v1/events").open().await);
    write(&world, &id, "after").await;
    let told = events.next().await.unwrap();
    assert_eq!(told.data["path"], "/after");
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_behind_what_it_has() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    write(&world, &id, "one").await;
    write(&world, &id, "two").await;
    let path = format!("/v1/sandboxes/{id}/events?from=0");
    let mut events = Events::of(world.get(&path).open().await);
    let last = up_to(&mut events, "/one").await.pop().unwrap().id.unwrap();
    drop(events);
    // A browser repeats the address it began with.
    let again = world.get(&path).header("last-event-id", &last.to_string());
    let mut events = Events::of(again.open().await);
    let told = events.next().await.unwrap();
    assert_eq!(
        (told.id, &told.data["path"]),
        (Some(last + 1), &json!("/two"))
    );
}

#[tokio::test]
async fn an_organisation_reads_its_own_events_alone() {
    let world = World::new().await;
    let mine = world.sandbox(&world.acme).await;
    let theirs = world.sandbox(&world.rival).await;
    let mut events = Events::of(world.get("/v1/events?from=0").open().await);
    let secret = format!("/v1/sandboxes/{theirs}/files/secret");
    let ask = world
        .ask_as(&world.rival.write, Method::PUT, secret)
        .body("x");
    ask.send().await.expect(204);
    write(&world, &mine, "last").await;
    for told in up_to(&mut events, "/last").await {
        assert_eq!(told.data["sandbox_id"], mine.as_str(), "{told:?}");
    }
    for (path, status) in [
        (format!("/v1/sandboxes/{theirs}/events"), 403),
        (format!("/v1/events?sandbox_id={theirs}"), 403),
        ("/v1/events?sandbox_id=sbx_nothing".to_owned(), 404),
    ] {
        let answer = world.get(&path).send().await.expect(status);
        assert_eq!(answer.field(), "sandbox_id", "{path}");
    }
}

#[tokio::test]
async fn numbers_that_are_none_are_refused() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for path in [
        "/v1/events".to_owned(),
        format!("/v1/sandboxes/{id}/events"),
    ] {
        for (query, field) in [
            ("from=-1", "from"),
            ("from=x", "from"),
            ("from=18446744073709551616", "from"),
            ("since=1", "since"),
        ] {
            let answer = world
                .get(format!("{path}?{query}"))
                .send()
                .await
                .expect(400);
            assert_eq!(answer.field(), field);
        }
        for id in ["", "x", "-1", "18446744073709551616"] {
            let answer = world.get(&path).header("last-event-id", id).send().await;
            assert_eq!(answer.expect(400).field(), "last-event-id", "{id:?}");
        }
    }
    // One that is far ahead waits, and holds up nobody.
    let response = world
        .get("/v1/events?from=18446744073709551615")
        .open()
        .await;
    assert_eq!(response.status(), 200);
    let ahead = world
        .get("/v1/events")
        .header("last-event-id", "18446744073709551615");
    assert_eq!(ahead.open().await.status(), 200);
}

#[tokio::test]
async fn a_stream_ends_cleanly_when_the_server_shuts_down() {
    let mut config = ApiConfig::default();
    let shutdown = CancellationToken::new();
    config.shutdown = shutdown.clone();
    let world = World::with(config, Quotas::default()).await;
    let id = world.sandbox(&world.acme).await;
    let server = Server::start(&world, shutdown).await;
    let mut streams = Vec::new();
    for path in [
        "/v1/events?from=0".to_owned(),
        format!("/v1/sandboxes/{id}/watch?path=/tmp"),
    ] {
        let response = server
            .send(&world.acme.read, Method::GET, &path, Body::empty())
            .await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Events::read(Body::new(response.into_body()));
        events.next().await.unwrap();
        streams.push(events);
    }
    server.stop().await;
    for events in streams {
        // A body that breaks off would panic here.
        events.rest().await;
    }
}

#[tokio::test]
async fn the_engines_end_ends_a_stream_too() {
    let world = World::new().await;
    let events = Events::of(world.get("/v1/events").open().await);
    world.engine.shutdown().await;
    assert_eq!(events.rest().await, []);
}

#[tokio::test]
async fn a_thousand_subscribers_that_leave_leave_nothing_behind() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let store: &Arc<dyn Store> = world.engine.store();
    let before = Arc::strong_count(store);
    let mut open = Vec::new();
    for number in 0..1000 {
        let path = match number % 2 {
            0 => "/v1/events?from=0".to_owned(),
            _ => format!("/v1/sandboxes/{id}/events?from=0"),
        };
        let mut events = Events::of(world.get(path).open().await);
        events.next().await.unwrap();
        open.push(events);
    }
    assert!(Arc::strong_count(store) >= before + 1000);
    drop(open);
    until("every subscription is gone", || {
        Arc::strong_count(store) <= before
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_cuts_its_connection_is_forgotten() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let server = Server::start(&world, CancellationToken::new()).await;
    let store: &Arc<dyn Store> = world.engine.store();
    let before = Arc::strong_count(store);
    let mut open = Vec::new();
    for _ in 0..50 {
        let sent = server.send(
            &world.acme.read,
            Method::GET,
            "/v1/events?from=0",
            Body::empty(),
        );
        let mut events = Events::read(Body::new(sent.await.into_body()));
        events.next().await.unwrap();
        open.push(events);
    }
    assert!(Arc::strong_count(store) >= before + 50);
    drop(open);
    let gone = async {
        while Arc::strong_count(store) > before {
            // A connection that is gone is noticed at the latest when something is sent.
            write(&world, &id, "news").await;
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
}

#[tokio::test]
async fn what_fails_inside_is_told_without_its_reason() {
    use sandbox_core::ErrorKind;
    use sandbox_testkit::{Call, Fault, When};
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let mut events = Events::of(world.get("/v1/events").open().await);
    let fault = Fault::fail(Call::Pause, When::Before, ErrorKind::Internal);
    world
        .daemon
        .faults()
        .inject(fault.with_message("/run/secret.sock", None));
    world.engine.pause(&id).await.unwrap_err();
    loop {
        let told = events.next().await.unwrap();
        assert!(!told.data.to_string().contains("secret"), "{told:?}");
        if told.data["type"] == "action_failed" {
            assert_eq!(told.data["error"]["code"], "internal");
            break;
        }
    }
}

#[tokio::test]
async fn events_that_are_no_longer_kept_are_told_as_a_gap() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for number in 0..20 {
        write(&world, &id, &format!("{number}")).await;
    }
    let retention = Retention {
        destroyed_before: sandbox_core::Timestamp::EPOCH,
        max_destroyed: 10,
        max_events: 3,
    };
    world.engine.store().purge(retention).await.unwrap();
    let mut events = Events::of(world.get("/v1/events?from=1").open().await);
    let gap = events.expect("gap").await;
    assert_eq!(gap.data["from"], 1);
    // Whoever reconnects there does not hear of it again.
    assert_eq!(gap.id, gap.data["to"].as_u64());
    let next = events.expect("event").await;
    assert_eq!(next.id, gap.id.map(|last| last + 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_news_says_that_it_is_alive() {
    let world = World::new().await;
    let response = world.get("/v1/events").open().await;
    let mut chunks = response.into_body().into_data_stream();
    for _ in 0..3 {
        let comment = chunks.next().await.unwrap().unwrap();
        assert!(comment.starts_with(b":"), "{comment:?}");
    }
}
