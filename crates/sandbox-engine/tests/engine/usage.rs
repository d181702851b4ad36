//! How long sandboxes ran.

use sandbox_core::Timestamp;
use sandbox_engine::OwnerId;
use sandbox_engine::owners::Month;

use crate::support::{World, ephemeral, persistent, secs};

async fn used(world: &World, month: Month) -> u64 {
    let usage = world
        .engine
        .usage(&OwnerId::default(), month)
        .await
        .unwrap();
    usage.seconds
}

#[tokio::test]
async fn only_running_time_counts_rounded_up_and_a_destroyed_sandbox_still_counts() {
    let world = World::new().await;
    let month = Month::of(world.clock.now());
    let id = world.create(persistent(3600)).await;
    world
        .clock
        .advance(std::time::Duration::from_millis(10_200));
    assert_eq!(used(&world, month).await, 11);
    world.engine.pause(&id).await.unwrap();
    world.clock.advance(secs(1_000));
    assert_eq!(used(&world, month).await, 11);
    world.engine.resume(&id).await.unwrap();
    world.clock.advance(secs(5));
    let record = world.engine.destroy(&id).await.unwrap();
    assert_eq!(record.usage_seconds(world.clock.now()), 16);
    assert_eq!(used(&world, month).await, 16);
    let second = world.create(ephemeral(60)).await;
    world.clock.advance(secs(1));
    assert_eq!(used(&world, month).await, 17);
    world.engine.destroy(&second).await.unwrap();
    let other = OwnerId::new("other").unwrap();
    let usage = world.engine.usage(&other, month).await.unwrap();
    assert_eq!(usage.seconds, 0);
}

#[tokio::test]
async fn time_over_the_end_of_a_month_is_split() {
    let world = World::new().await;
    let end = Month::of(world.clock.now()).end();
    world
        .clock
        .set(Timestamp::from_millis(end.as_millis() - 4_000));
    let id = world.create(ephemeral(3600)).await;
    world.clock.advance(secs(10));
    world.engine.destroy(&id).await.unwrap();
    let (before, after) = (Timestamp::from_millis(end.as_millis() - 1), end);
    assert_eq!(used(&world, Month::of(before)).await, 4);
    assert_eq!(used(&world, Month::of(after)).await, 6);
}

#[tokio::test]
async fn usage_survives_restarts_and_the_purge_of_the_sandbox() {
    let world = World::new().await;
    let month = Month::of(world.clock.now());
    let id = world.create(ephemeral(3600)).await;
    world.clock.advance(secs(7));
    let world = world.restart().await;
    assert_eq!(used(&world, month).await, 7);
    world.clock.advance(secs(3));
    world.engine.destroy(&id).await.unwrap();
    world.clock.advance(secs(25 * 3600));
    let world = world.restart().await;
    assert!(world.engine.get(&id).await.is_err());
    assert_eq!(used(&world, month).await, 10);
}
