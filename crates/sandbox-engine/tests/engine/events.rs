//! The stream of events.

use futures_util::StreamExt;
use sandbox_core::{Command, SandboxExt, SandboxPath};
use sandbox_engine::events::{EventFilter, EventItem, EventKind, Subscription};
use sandbox_engine::{EngineConfig, OwnerId};

use crate::support::{World, builder, ephemeral, request};

async fn next(subscription: &mut Subscription) -> (u64, EventKind) {
    match subscription.next().await.unwrap().unwrap() {
        EventItem::Event(event) => (event.seq, event.event.kind),
        gap => panic!("{gap:?}"),
    }
}

fn from(seq: u64) -> EventFilter {
    EventFilter {
        from: Some(seq),
        ..EventFilter::default()
    }
}

#[tokio::test]
async fn a_life_is_told_in_order_with_numbers_that_grow_by_one() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    sandbox.exec(Command::shell("echo hi")).await.unwrap();
    let path: SandboxPath = "/tmp/f".parse().unwrap();
    sandbox.write_all(&path, "12345".into()).await.unwrap();
    world.engine.pause(&id).await.unwrap();
    world.engine.resume(&id).await.unwrap();
    world.engine.destroy(&id).await.unwrap();
    let mut subscription = world.engine.events(from(1));
    let mut kinds = Vec::new();
    for expected in 1..=7 {
        let (seq, kind) = next(&mut subscription).await;
        assert_eq!(seq, expected);
        kinds.push(kind);
    }
    assert!(matches!(kinds[0], EventKind::Created { template: None }));
    assert_eq!(kinds[1], EventKind::Running);
    assert!(
        matches!(&kinds[2], EventKind::CommandExecuted { command, .. } if command == "echo hi")
    );
    assert_eq!(kinds[3], EventKind::FileWritten { path, size: 5 });
    assert_eq!(kinds[4], EventKind::Paused);
    assert_eq!(kinds[5], EventKind::Resumed);
    assert_eq!(kinds[6], EventKind::Destroyed);
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was_also_after_a_restart() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let mut first = world.engine.events(from(1));
    assert_eq!(next(&mut first).await.0, 1);
    drop(first);
    let world = world.restart().await;
    let mut second = world.engine.events(from(2));
    assert_eq!(next(&mut second).await, (2, EventKind::Running));
    world.engine.pause(&id).await.unwrap();
    assert_eq!(next(&mut second).await, (3, EventKind::Paused));
}

#[tokio::test]
async fn replay_turns_into_live_without_a_gap_or_a_repetition() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    let subscription = world.engine.events(from(1));
    let reading = tokio::spawn(async move {
        let seqs = subscription.into_stream().map(|item| match item.unwrap() {
            EventItem::Event(event) => event.seq,
            gap => panic!("{gap:?}"),
        });
        seqs.take(502).collect::<Vec<_>>().await
    });
    for _ in 0..500 {
        sandbox.exec(Command::shell("true")).await.unwrap();
    }
    let seqs = reading.await.unwrap();
    assert_eq!(seqs, (1..=502).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up_and_is_told_what_it_missed() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let mut config = EngineConfig::default();
    config.max_events = 100;
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .config(config)
        .build()
        .await
        .unwrap();
    let mut lazy = engine.events(from(1));
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    let sandbox = engine.sandbox(record.id()).unwrap();
    for _ in 0..3_000 {
        sandbox.exec(Command::shell("true")).await.unwrap();
    }
    world.settle().await;
    let Some(Ok(EventItem::Gap { from: 1, to })) = lazy.next().await else {
        panic!("no gap");
    };
    assert!(to > 100, "{to}");
    assert_eq!(next(&mut lazy).await.0, to + 1);
}

#[tokio::test]
async fn a_noisy_owner_costs_another_no_event_and_the_gap_is_told_once() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let mut config = EngineConfig::default();
    config.max_events = 100;
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .config(config)
        .build()
        .await
        .unwrap();
    let owned = |name: &str| request(ephemeral(60)).owner(OwnerId::new(name).unwrap());
    engine.create(owned("quiet")).await.unwrap();
    let noisy = engine.create(owned("noisy")).await.unwrap();
    let sandbox = engine.sandbox(noisy.id()).unwrap();
    for _ in 0..3_000 {
        sandbox.exec(Command::shell("true")).await.unwrap();
    }
    world.settle().await;
    let mut own = engine.events(EventFilter {
        owner: Some(OwnerId::new("quiet").unwrap()),
        ..from(1)
    });
    assert_eq!(next(&mut own).await.0, 1);
    assert_eq!(next(&mut own).await.0, 2);

    let mut all = engine.events(from(1));
    let Some(Ok(EventItem::Gap { from: 1, to })) = all.next().await else {
        panic!("no gap");
    };
    let mut seqs = vec![next(&mut all).await.0];
    while seqs.last() < Some(&3_000) {
        seqs.push(next(&mut all).await.0);
    }
    assert_eq!(seqs[..2], [1, 2]);
    let rest: Vec<u64> = (to + 1..=*seqs.last().unwrap()).collect();
    assert_eq!(seqs[2..], rest);
}

#[tokio::test]
async fn an_owner_reads_its_own_events_and_no_others() {
    let world = World::new().await;
    let owner = |name: &str| OwnerId::new(name).unwrap();
    for name in ["a", "b", "a"] {
        let request = request(ephemeral(60)).owner(owner(name));
        world.engine.create(request).await.unwrap();
    }
    let mut subscription = world.engine.events(EventFilter {
        owner: Some(owner("b")),
        ..from(1)
    });
    for _ in 0..2 {
        let Some(Ok(EventItem::Event(event))) = subscription.next().await else {
            panic!("no event");
        };
        assert_eq!(event.event.owner, owner("b"));
    }
    world.engine.shutdown().await;
    assert!(subscription.next().await.is_none(), "there are only two");
}

#[tokio::test]
async fn without_a_number_only_what_is_new_is_told() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let mut live = world.engine.events(EventFilter::default());
    world.engine.pause(&id).await.unwrap();
    assert_eq!(next(&mut live).await.1, EventKind::Paused);
}

#[tokio::test]
async fn what_is_past_ends_also_when_the_last_events_are_somebody_elses() {
    let world = World::new().await;
    let owned = |name: &str| request(ephemeral(60)).owner(OwnerId::new(name).unwrap());
    for name in ["a", "b"] {
        world.engine.create(owned(name)).await.unwrap();
    }
    let past = |name: &str| EventFilter {
        owner: Some(OwnerId::new(name).unwrap()),
        only_past: true,
        ..from(1)
    };
    let mut reader = world.engine.events(past("a"));
    // What comes after the reading began is not past.
    world.engine.create(owned("a")).await.unwrap();
    next(&mut reader).await;
    next(&mut reader).await;
    assert!(reader.next().await.is_none());
    let mut nobody = world.engine.events(past("c"));
    assert!(nobody.next().await.is_none());
}
