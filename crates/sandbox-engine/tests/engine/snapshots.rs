//! A snapshot is its owner's, and nobody else learns that it exists.

use std::sync::Arc;

use futures_util::StreamExt;
use sandbox_core::{ErrorKind, Result, RuntimeName, Sandbox, SnapshotId, Source, Template};
use sandbox_engine::store::MemoryStore;
#[cfg(feature = "sqlite")]
use sandbox_engine::store::{SqliteStore, Synchronous};
use sandbox_engine::{CreateRequest, Engine, EngineConfig, OwnerId};
use sandbox_testkit::{Call, FakeDaemon, Fault, When};

use crate::support::{World, builder, ephemeral, request};

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

fn from(snapshot: &SnapshotId, of: &str) -> CreateRequest {
    CreateRequest::from_source(Source::Snapshot(snapshot.clone())).owner(owner(of))
}

fn assert_unknown<T: std::fmt::Debug>(answer: Result<T>, id: &SnapshotId) {
    let error = answer.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("source.snapshot"))
    );
    assert_eq!(error.message(), format!("there is no snapshot {id}"));
}

async fn taken(engine: &Engine, of: &str) -> SnapshotId {
    let request = request(ephemeral(600)).owner(owner(of));
    let record = engine.create(request).await.unwrap();
    engine.snapshot(record.id()).await.unwrap()
}

#[tokio::test]
async fn anothers_snapshot_is_answered_like_one_that_does_not_exist() {
    let world = World::new().await;
    let theirs = taken(&world.engine, "alice").await;
    let none = SnapshotId::new("never-taken").unwrap();
    let before = world.daemon.faults().count(Call::Create);
    for id in [&theirs, &none] {
        assert_unknown(world.engine.create(from(id, "mallory")).await, id);
        let prepared = world.engine.prepare(&from(id, "mallory")).await;
        assert_unknown(prepared.map(|_| ()), id);
        let seen = world.engine.snapshot_of(&owner("mallory"), id).await;
        assert_unknown(seen, id);
        let removed = world.engine.remove_snapshot(&owner("mallory"), id).await;
        assert_unknown(removed, id);
    }
    assert_eq!(world.daemon.faults().count(Call::Create), before);
    assert_eq!(world.daemon.faults().count(Call::Prepare), 0);
    assert_eq!(world.daemon.faults().count(Call::RemoveSnapshot), 0);
    assert!(
        world
            .engine
            .snapshots(&owner("mallory"))
            .await
            .unwrap()
            .is_empty()
    );
    let seen = world.engine.snapshot_of(&owner("alice"), &theirs).await;
    assert_eq!(seen.unwrap().id, theirs);
    let prepared = world.engine.prepare(&from(&theirs, "alice")).await.unwrap();
    let progress: Vec<_> = prepared.collect().await;
    assert!(progress.iter().all(Result::is_ok) && !progress.is_empty());
    world.engine.create(from(&theirs, "alice")).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_the_engine_did_not_take_is_nobodys() {
    let world = World::new().await;
    let elsewhere = Engine::builder()
        .runtime("fake", Arc::new(world.daemon.connect()))
        .build()
        .await
        .unwrap();
    let unknown = taken(&elsewhere, "alice").await;
    assert_eq!(world.daemon.snapshots(), std::slice::from_ref(&unknown));
    assert_unknown(world.engine.create(from(&unknown, "alice")).await, &unknown);
}

#[tokio::test]
async fn a_snapshot_taken_through_the_handle_is_its_owners_too() {
    let world = World::new().await;
    let made = request(ephemeral(600)).owner(owner("alice"));
    let record = world.engine.create(made).await.unwrap();
    let handle = world.engine.sandbox(record.id()).unwrap();
    let id = handle.snapshot().await.unwrap();
    let kept = world.engine.snapshots(&owner("alice")).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0].id, &kept[0].sandbox), (&id, record.id()));
    assert_eq!(
        (&kept[0].owner, kept[0].runtime.as_str()),
        (&owner("alice"), "fake")
    );
    assert_eq!(kept[0].created_at, world.engine.now());
    assert_unknown(world.engine.create(from(&id, "mallory")).await, &id);
}

#[tokio::test]
async fn only_the_runtime_that_took_a_snapshot_makes_sandboxes_from_it() {
    let engine = Engine::builder()
        .runtime("one", Arc::new(FakeDaemon::new().connect()))
        .runtime("two", Arc::new(FakeDaemon::new().connect()))
        .build()
        .await
        .unwrap();
    let first = taken(&engine, "alice").await;
    let in_two = from(&first, "alice").runtime(RuntimeName::new("two").unwrap());
    assert_unknown(engine.create(in_two).await, &first);
    engine.create(from(&first, "alice")).await.unwrap();
}

#[tokio::test]
async fn ownership_survives_a_restart() {
    let world = World::new().await;
    let id = taken(&world.engine, "alice").await;
    let newer = taken(&world.engine, "alice").await;
    let world = world.restart().await;
    let kept = world.engine.snapshots(&owner("alice")).await.unwrap();
    let ids: Vec<_> = kept.iter().map(|record| &record.id).collect();
    assert_eq!(ids, [&newer, &id], "newest first");
    assert_unknown(world.engine.create(from(&id, "mallory")).await, &id);
    world.engine.create(from(&id, "alice")).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn ownership_survives_a_restart_over_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.db");
    let daemon = FakeDaemon::new();
    let start = async || {
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        let engine = Engine::builder().runtime("fake", Arc::new(daemon.connect()));
        engine.store(store).build().await.unwrap()
    };
    let engine = start().await;
    let id = taken(&engine, "alice").await;
    let before = engine.snapshots(&owner("alice")).await.unwrap();
    engine.shutdown().await;
    drop(engine);
    let engine = start().await;
    assert_eq!(engine.snapshots(&owner("alice")).await.unwrap(), before);
    assert_unknown(engine.create(from(&id, "mallory")).await, &id);
    engine.create(from(&id, "alice")).await.unwrap();
    engine.remove_snapshot(&owner("alice"), &id).await.unwrap();
    assert!(engine.snapshots(&owner("alice")).await.unwrap().is_empty());
    engine.shutdown().await;
}

#[tokio::test]
async fn a_removed_snapshot_is_gone_and_one_that_cannot_be_removed_stays() {
    let world = World::new().await;
    let alice = owner("alice");
    let id = taken(&world.engine, "alice").await;
    let fault = Fault::fail(Call::RemoveSnapshot, When::Before, ErrorKind::Unavailable);
    world.daemon.faults().inject(fault);
    let error = world.engine.remove_snapshot(&alice, &id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.engine.snapshots(&alice).await.unwrap().len(), 1);
    world.engine.remove_snapshot(&alice, &id).await.unwrap();
    assert!(world.daemon.snapshots().is_empty());
    assert!(world.engine.snapshots(&alice).await.unwrap().is_empty());
    assert_unknown(world.engine.remove_snapshot(&alice, &id).await, &id);
    assert_unknown(world.engine.create(from(&id, "alice")).await, &id);
}

#[tokio::test]
async fn an_owner_has_no_more_snapshots_than_the_limit_even_when_they_race() {
    let world = World::new().await;
    let mut config = EngineConfig::default();
    config.max_snapshots = 2;
    let engine = builder(&world.clock, &FakeDaemon::new(), &MemoryStore::new())
        .config(config)
        .build()
        .await
        .unwrap();
    let alice = owner("alice");
    let first = taken(&engine, "alice").await;
    let made = request(ephemeral(600)).owner(alice.clone());
    let record = engine.create(made).await.unwrap();
    let id = record.id();
    let all = tokio::join!(
        engine.snapshot(id),
        engine.snapshot(id),
        engine.snapshot(id)
    );
    for error in [all.0, all.1, all.2].into_iter().filter_map(Result::err) {
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::LimitExceeded, Some("snapshots"))
        );
    }
    assert_eq!(engine.snapshots(&alice).await.unwrap().len(), 2);
    assert!(engine.snapshot(id).await.is_err());
    taken(&engine, "bob").await;
    engine.remove_snapshot(&alice, &first).await.unwrap();
    engine.snapshot(id).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_gets_no_snapshot_that_nobody_counts() {
    let world = World::new().await;
    let id = world.create(ephemeral(600)).await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Snapshot, When::After));
    {
        let snapshot = std::pin::pin!(world.engine.snapshot(&id));
        tokio::select! {
            biased;
            _ = snapshot => panic!("the runtime does not answer"),
            () = world.settle() => {}
        }
    }
    assert_eq!(world.daemon.snapshots().len(), 1);
    world.daemon.faults().release();
    world.settle().await;
    let kept = world.engine.snapshots(&OwnerId::default()).await.unwrap();
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn the_snapshot_of_a_template_is_for_everybody() {
    let world = World::new().await;
    let id = taken(&world.engine, "operator").await;
    let name = "prepared".parse().unwrap();
    let engine = builder(&world.clock, &world.daemon, &MemoryStore::new())
        .template(Template::new(name, Source::Snapshot(id.clone())))
        .build()
        .await
        .unwrap();
    let from_template = CreateRequest::from_template("prepared".parse().unwrap());
    let by_name = from_template.owner(owner("bob"));
    engine.create(by_name.clone()).await.unwrap();
    let mut by_id = by_name;
    by_id.source = Some(Source::Snapshot(id.clone()));
    assert_unknown(engine.create(by_id).await, &id);
}
