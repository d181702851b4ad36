//! What a sandbox costs while nobody uses it.

use std::sync::Arc;
use std::time::Duration;

use sandbox_core::{Command, SandboxExt};
use sandbox_engine::Engine;
use sandbox_testkit::FakeDaemon;

use crate::support::{persistent, request};

#[tokio::test]
async fn a_thousand_idle_sandboxes_wake_nobody() {
    let daemon = FakeDaemon::new();
    let engine = Engine::builder()
        .runtime("fake", Arc::new(daemon.connect()))
        .build()
        .await
        .unwrap();
    for number in 0..1_000 {
        let record = engine.create(request(persistent(3600))).await.unwrap();
        if number % 2 == 0 {
            engine.pause(record.id()).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let wake_ups = metrics.worker_park_count(0) - before;
    assert!(
        wake_ups <= 5,
        "{wake_ups} wake-ups of 1,000 sandboxes in half a second"
    );
}

#[tokio::test]
async fn a_command_in_a_running_sandbox_wakes_no_driver() {
    let world = crate::support::World::new().await;
    let id = world.create(persistent(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
    let before = world.engine.get(&id).await.unwrap();
    for _ in 0..10 {
        sandbox.exec(Command::shell("true")).await.unwrap();
    }
    world.settle().await;
    let after = world.engine.get(&id).await.unwrap();
    assert!(
        Arc::ptr_eq(&before, &after),
        "the driver showed something new"
    );
}
