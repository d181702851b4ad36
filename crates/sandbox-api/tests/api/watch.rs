//! Watching files, as a stream of events.

use axum::http::Method;
use sandbox_core::{Sandbox, SandboxPath, WriteOptions, byte_stream};
use serde_json::json;

use crate::stream::Events;
use crate::support::World;

#[tokio::test]
async fn a_watch_says_that_it_is_ready_and_then_what_happens() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let base = format!("/v1/sandboxes/{id}");
    let response = world.ask_as(
        &world.acme.read,
        Method::GET,
        format!("{base}/watch?path=/tmp"),
    );
    let mut watch = Events::of(response.open().await);
    let ready = watch.expect("ready").await;
    assert_eq!(ready.data, json!({"path": "/tmp"}));

    world
        .put(format!("{base}/files/tmp/f"))
        .body("x")
        .send()
        .await
        .expect(204);
    let change = watch.expect("change").await.data;
    assert_eq!(change, json!({"change": "create", "path": "/tmp/f"}));
    world
        .delete(format!("{base}/files/tmp/f"))
        .send()
        .await
        .expect(204);
    loop {
        let change = watch.expect("change").await.data;
        if change == json!({"change": "remove", "path": "/tmp/f"}) {
            break;
        }
        assert_eq!(change["path"], "/tmp/f");
    }
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_before_the_stream_begins() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for (query, status, field) in [
        ("path=/none", 404, "path"),
        ("path=/etc/passwd", 409, "path"),
        ("path=tmp", 400, "path"),
        ("path=/a/..", 400, "path"),
        ("", 400, "path"),
        ("path=/tmp&recursive=1", 400, "recursive"),
        ("path=/tmp&deep=true", 400, "deep"),
    ] {
        let answer = world
            .get(format!("/v1/sandboxes/{id}/watch?{query}"))
            .send()
            .await;
        assert_eq!(answer.expect(status).field(), field, "{query}");
    }
}

#[tokio::test]
async fn a_watch_that_nobody_reads_holds_up_nobody_and_is_told_what_it_missed() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let base = format!("/v1/sandboxes/{id}");
    let ask = world.get(format!("{base}/watch?path=/tmp&recursive=true"));
    let mut watch = Events::of(ask.open().await);
    watch.expect("ready").await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    let write = async |number: usize| {
        let path = SandboxPath::new(format!("/tmp/{number}")).unwrap();
        let written = sandbox.write(&path, byte_stream("x"), WriteOptions::default());
        written.await.unwrap();
    };
    const WRITTEN: usize = 10_000;
    for number in 0..WRITTEN {
        write(number).await;
    }
    // There is room again, and the next change is told behind what was lost.
    watch.expect("change").await;
    watch.expect("change").await;
    write(WRITTEN).await;
    world.engine.destroy(&id).await.unwrap();
    let told = watch.rest().await;
    assert!(told.iter().any(|event| event.data["change"] == "overflow"));
    assert!(
        told.len() < WRITTEN,
        "{} events were kept for nobody",
        told.len()
    );
}

#[tokio::test]
async fn a_watch_ends_with_its_sandbox() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let response = world
        .get(format!("/v1/sandboxes/{id}/watch?path=/tmp"))
        .open()
        .await;
    let mut watch = Events::of(response);
    watch.expect("ready").await;
    world.engine.destroy(&id).await.unwrap();
    for event in watch.rest().await {
        assert_eq!(event.name, "error");
    }
}

#[tokio::test]
async fn a_watcher_that_left_keeps_no_sandbox_awake() {
    use sandbox_core::lifecycle::{LifecyclePolicy, Persistent, State};
    let world = World::new().await;
    let idle = std::time::Duration::from_secs(60);
    let mut request = sandbox_engine::CreateRequest::from_source(sandbox_core::Source::Image(
        sandbox_testkit::FAKE_IMAGE.into(),
    ))
    .owner(world.acme.owner());
    request.lifecycle = Some(LifecyclePolicy::new(Persistent::new(idle)).unwrap());
    let id = world.engine.create(request).await.unwrap().id().clone();
    let mut watches = Vec::new();
    for _ in 0..100 {
        let response = world
            .get(format!("/v1/sandboxes/{id}/watch?path=/tmp"))
            .open()
            .await;
        watches.push(response);
    }
    drop(watches);
    let state = {
        let engine = world.engine.clone();
        move || {
            let engine = engine.clone();
            let id = id.clone();
            async move { engine.get(&id).await.unwrap().state() }
        }
    };
    let clock = world.clock.clone();
    let paused = async {
        while state().await != State::Paused {
            clock.advance(std::time::Duration::from_secs(60));
            tokio::task::yield_now().await;
        }
    };
    crate::stream::soon(paused).await;
}
