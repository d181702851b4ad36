//! What an engine makes of what it finds.

use std::sync::Arc;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::State;
use sandbox_core::{
    Command, ErrorKind, RecoveredState, Runtime, SandboxExt, SandboxId, SandboxSpec,
};
use sandbox_engine::Engine;
use sandbox_testkit::{Call, Fault, When};

use crate::support::{TestClock, World, builder, ephemeral, persistent, request, secs, source};

#[tokio::test]
async fn running_and_paused_sandboxes_are_found_again_and_can_be_used() {
    let world = World::new().await;
    let runs = world.create(ephemeral(3600)).await;
    let paused = world.create(persistent(3600)).await;
    world.engine.pause(&paused).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.state(&runs).await, State::Running);
    assert_eq!(world.state(&paused).await, State::Paused);
    let sandbox = world.engine.sandbox(&runs).unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
    world.engine.resume(&paused).await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_engine_was_down_is_honoured_at_once() {
    let world = World::new().await;
    let dies = world.create(ephemeral(60)).await;
    let sleeps = world.create(persistent(60)).await;
    world.engine.shutdown().await;
    world.clock.advance(secs(61));
    let world = world.restart().await;
    world.reaches(&dies, State::Destroyed).await;
    world.reaches(&sleeps, State::Paused).await;
    assert_eq!(world.daemon.sandboxes().len(), 1);
}

#[tokio::test]
async fn what_the_runtime_has_and_nobody_knows_is_destroyed() {
    let world = World::new().await;
    let known = world.create(ephemeral(3600)).await;
    let id = SandboxId::new("orphan").unwrap();
    let spec = SandboxSpec::builder(id, source()).build().unwrap();
    world.daemon.connect().create(&spec).await.unwrap();
    world.daemon.faults().inject(Fault::fail(
        Call::Destroy,
        When::Before,
        ErrorKind::Unavailable,
    ));
    let world = world.restart().await;
    assert_eq!(world.daemon.sandboxes().len(), 2, "the first try fails");
    world.clock.advance(secs(1));
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let left: Vec<_> = world.daemon.sandboxes().into_keys().collect();
    assert_eq!(left, [known]);
}

#[tokio::test]
async fn what_the_engine_knows_and_the_runtime_has_not_is_failed_and_not_forgotten() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    world.engine.shutdown().await;
    world.daemon.vanish(&id);
    let world = world.restart().await;
    assert_eq!(world.state(&id).await, State::Failed);
    let record = world.engine.get(&id).await.unwrap();
    assert_eq!(record.usage_seconds(world.clock.now()), 0);
}

#[tokio::test]
async fn the_engine_starts_while_a_runtime_is_away_and_matches_when_it_is_back() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.daemon.go_away();
    let world = world.restart().await;
    let record = world.engine.get(&id).await.unwrap();
    assert!(!record.available);
    let error = world.engine.pause(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let sandbox = world.engine.sandbox(&id).unwrap();
    let error = sandbox.exec(Command::shell("true")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    world.daemon.come_back();
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
        if world.engine.get(&id).await.unwrap().available {
            break;
        }
    }
    sandbox.exec(Command::shell("true")).await.unwrap();
    world.clock.advance(secs(60));
    world.reaches(&id, State::Destroyed).await;
}

#[tokio::test]
async fn a_sandbox_destroyed_while_its_runtime_is_away_is_gone_soon_after_it_is_back() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    world.daemon.go_away();
    let world = world.restart().await;
    let error = world.engine.destroy(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.state(&id).await, State::Destroying);
    world.daemon.come_back();
    world.reaches(&id, State::Destroyed).await;
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn what_changed_while_the_runtime_was_away_is_seen_when_it_is_back() {
    let world = World::new().await;
    let crashed = world.create(ephemeral(3600)).await;
    let lives = world.create(ephemeral(3600)).await;
    world.daemon.go_away();
    world.settle().await;
    assert!(!world.engine.get(&lives).await.unwrap().available);
    let name = "fake".parse().unwrap();
    assert!(!world.engine.is_available(&name).unwrap());
    // The event gets lost, as it does when nobody is connected.
    world.daemon.vanish(&crashed);
    world.daemon.come_back();
    world.reaches(&crashed, State::Failed).await;
    world.settle().await;
    assert_eq!(world.state(&lives).await, State::Running);
    assert!(world.engine.get(&lives).await.unwrap().available);
    assert!(world.engine.is_available(&name).unwrap());
}

#[tokio::test]
async fn a_creation_on_its_way_while_the_runtime_is_read_is_not_taken_for_missing() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Create, When::Before));
    let record = world
        .engine
        .create_detached(request(ephemeral(3600)))
        .await
        .unwrap();
    world.daemon.faults().wait_for_hanging(1).await;
    world.daemon.come_back();
    world.settle().await;
    world.daemon.faults().release();
    world.reaches(record.id(), State::Running).await;
    world.clock.advance(secs(30));
    world.settle().await;
    assert_eq!(world.state(record.id()).await, State::Running);
    assert_eq!(world.daemon.sandboxes().len(), 1);
}

#[tokio::test]
async fn sandboxes_of_a_runtime_that_is_not_configured_any_more_wait_for_it() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    world.engine.shutdown().await;
    let without = Engine::builder()
        .store(world.store.clone())
        .clock(TestClock(world.clock.clone()))
        .build()
        .await
        .unwrap();
    let record = without.get(&id).await.unwrap();
    assert!(!record.available);
    without.shutdown().await;
    let with = builder(&world.clock, &world.daemon, &world.store);
    let engine = with.build().await.unwrap();
    assert_eq!(engine.get(&id).await.unwrap().state(), State::Running);
}

#[tokio::test]
async fn rules_that_were_written_down_and_perhaps_not_set_are_set_after_a_restart() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::SetEgress, When::Before));
    let rules = EgressRules::deny_all().deny_cidr("10.0.0.0/8").unwrap();
    let (engine, new) = (world.engine.clone(), rules.clone());
    let setting = tokio::spawn({
        let id = id.clone();
        async move { engine.set_egress(&id, new).await }
    });
    world.daemon.faults().wait_for_hanging(1).await;
    // Dies in the middle of it.
    let World {
        clock,
        daemon,
        store,
        engine,
    } = world;
    setting.abort();
    let _ = setting.await;
    drop(engine);
    let engine = builder(&clock, &daemon, &store).build().await.unwrap();
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*engine.get(&id).await.unwrap().egress, rules);
    assert_eq!(daemon.sandboxes()[&id].egress, rules);
}

#[tokio::test]
async fn recovery_finds_a_sandbox_that_somebody_paused_or_resumed_behind_our_back() {
    let world = World::new().await;
    let id = world.create(persistent(3600)).await;
    let found = world.daemon.connect().recover().await.unwrap().remove(0);
    world.engine.shutdown().await;
    found.sandbox.pause().await.unwrap();
    let world = world.restart().await;
    world.reaches(&id, State::Running).await;
    assert_eq!(world.daemon.sandboxes()[&id].state, RecoveredState::Running);
}

#[tokio::test]
async fn hundreds_of_sandboxes_are_matched_with_one_look() {
    let world = World::new().await;
    let creating = (0..300).map(|_| world.create(ephemeral(3600)));
    let ids = futures_util::future::join_all(creating).await;
    let looks = world.daemon.faults().count(Call::Recover);
    let world = world.restart().await;
    assert_eq!(world.daemon.faults().count(Call::Recover), looks + 1);
    for id in &ids {
        assert_eq!(world.state(id).await, State::Running);
    }
    let _: &Arc<dyn Runtime> = world.engine.runtimes().next().unwrap().1;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn an_engine_over_a_file_goes_on_where_the_one_before_stopped() {
    use sandbox_engine::store::{SqliteStore, Synchronous};
    use sandbox_testkit::{FakeDaemon, ManualClock};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.db");
    let (clock, daemon) = (ManualClock::new(), FakeDaemon::new());
    let open = async || {
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        Engine::builder()
            .runtime("fake", Arc::new(daemon.connect()))
            .store(store)
            .clock(TestClock(clock.clone()))
            .build()
            .await
            .unwrap()
    };
    let engine = open().await;
    let runs = engine.create(request(ephemeral(60))).await.unwrap();
    let paused = engine.create(request(persistent(60))).await.unwrap();
    engine.pause(paused.id()).await.unwrap();
    let gone = engine.create(request(ephemeral(60))).await.unwrap();
    engine.destroy(gone.id()).await.unwrap();
    engine.shutdown().await;
    drop(engine);
    let engine = open().await;
    for (id, state) in [
        (runs.id(), State::Running),
        (paused.id(), State::Paused),
        (gone.id(), State::Destroyed),
    ] {
        assert_eq!(engine.get(id).await.unwrap().state(), state);
    }
    assert_eq!(daemon.sandboxes().len(), 2);
    let newer = engine.create(request(ephemeral(60))).await.unwrap();
    assert!(newer.seq > gone.seq, "numbers go on");
    engine.shutdown().await;
}
