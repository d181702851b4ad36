//! What is not on disk did not happen, and what happened gets to the disk.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sandbox_core::lifecycle::State;
use sandbox_core::{Error, ErrorKind};
use sandbox_engine::store::{Change, MemoryStore};
use sandbox_engine::{Engine, EngineBuilder};
use sandbox_testkit::{Call, FakeDaemon, ManualClock};

use crate::crash::hooked::{Hook, HookedStore};
use crate::support::{TestClock, ephemeral, request, secs};

fn builder(daemon: &FakeDaemon, clock: &ManualClock, hook: Hook) -> EngineBuilder {
    Engine::builder()
        .runtime("fake", Arc::new(daemon.connect()))
        .clock(TestClock(clock.clone()))
        .store(HookedStore::new(MemoryStore::new(), hook))
}

fn failing(failures: &Arc<AtomicUsize>) -> Hook {
    let failures = Arc::clone(failures);
    Hook::before_save(move |_: &Change| {
        let left = failures.load(SeqCst);
        if left == 0 {
            return Ok(());
        }
        failures.store(left - 1, SeqCst);
        Err(Error::new(
            ErrorKind::Unavailable,
            "test.save",
            "the disk is full",
        ))
    })
}

#[tokio::test]
async fn every_transition_is_written_before_its_action_starts() {
    let clock = ManualClock::new();
    let daemon = FakeDaemon::with_clock(clock.clone());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = Hook::before_save({
        let (daemon, seen) = (daemon.clone(), Arc::clone(&seen));
        move |change: &Change| {
            let state = change.sandbox.lifecycle.state();
            let call = match state {
                State::Creating => Call::Create,
                State::Pausing => Call::Pause,
                State::Resuming => Call::Resume,
                State::Destroying => Call::Destroy,
                _ => return Ok(()),
            };
            seen.lock()
                .unwrap()
                .push((state, daemon.faults().count(call)));
            Ok(())
        }
    });
    let engine = builder(&daemon, &clock, hook).build().await.unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    engine.pause(record.id()).await.unwrap();
    engine.resume(record.id()).await.unwrap();
    engine.destroy(record.id()).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    let expected = [
        State::Creating,
        State::Pausing,
        State::Resuming,
        State::Destroying,
    ];
    assert_eq!(seen, expected.map(|state| (state, 0)));
}

#[tokio::test]
async fn a_creation_that_cannot_be_written_down_is_not_begun() {
    let clock = ManualClock::new();
    let daemon = FakeDaemon::with_clock(clock.clone());
    let failures = Arc::new(AtomicUsize::new(1));
    let engine = builder(&daemon, &clock, failing(&failures))
        .build()
        .await
        .unwrap();
    let error = engine.create(request(ephemeral(60))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(daemon.faults().count(Call::Create), 0);
    let page = engine.list(&Default::default()).await.unwrap();
    assert!(page.sandboxes.is_empty());
    engine.create(request(ephemeral(60))).await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_written_down_changes_nothing() {
    let clock = ManualClock::new();
    let daemon = FakeDaemon::with_clock(clock.clone());
    let failures = Arc::new(AtomicUsize::new(0));
    let engine = builder(&daemon, &clock, failing(&failures))
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    failures.store(1, SeqCst);
    let error = engine.pause(record.id()).await.unwrap_err();
    assert_eq!(error.message(), "the disk is full");
    assert_eq!(daemon.faults().count(Call::Pause), 0);
    assert_eq!(
        engine.get(record.id()).await.unwrap().state(),
        State::Running
    );
    engine.pause(record.id()).await.unwrap();
}

#[tokio::test]
async fn what_has_happened_is_written_once_the_store_lets_it() {
    let clock = ManualClock::new();
    let daemon = FakeDaemon::with_clock(clock.clone());
    let failures = Arc::new(AtomicUsize::new(0));
    let engine = builder(&daemon, &clock, failing(&failures))
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    failures.store(3, SeqCst);
    clock.advance(secs(60));
    for _ in 0..100 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        clock.advance(secs(1));
    }
    assert_eq!(
        engine.get(record.id()).await.unwrap().state(),
        State::Destroyed
    );
    assert!(daemon.sandboxes().is_empty());
}
