//! What a restart makes of a sandbox whose command was to be started.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use sandbox_core::lifecycle::{Failure, State};
use sandbox_core::{Command, SandboxId};
use sandbox_engine::process::{ProcessSelector, ProcessStatus};
use sandbox_testkit::{Call, When};
use tokio::sync::Notify;

use crate::crash::hooked::{Death, Hook, HookedStore};
use crate::support::{World, builder, ephemeral, request};

/// What is left when an engine died at the write `nth` of a create with a command, and the next
/// engine found it.
async fn died_at_write(nth: usize, when: When) -> (World, SandboxId) {
    let world = World::new().await;
    let died = Arc::new(Notify::new());
    let death = Death {
        nth,
        when,
        writes: Arc::new(AtomicUsize::new(0)),
        died: Arc::clone(&died),
    };
    let doomed = builder(&world.clock, &world.daemon, &world.store)
        .store(HookedStore::new(world.store.clone(), Hook::death(death)))
        .build()
        .await
        .unwrap();
    let id = SandboxId::new("a").unwrap();
    let mut starts = request(ephemeral(600));
    starts.id = Some(id.clone());
    starts.start = Some(Command::shell("sleep 100000"));
    tokio::select! {
        biased;
        () = died.notified() => {}
        made = doomed.create(starts) => panic!("it should have died: {made:?}"),
    }
    drop(doomed);
    world.settle().await;
    (world.restart().await, id)
}

fn start() -> ProcessSelector {
    ProcessSelector::Tag("start".into())
}

#[tokio::test]
async fn a_command_that_was_not_begun_is_started() {
    // The second write says that it begins.
    let (world, id) = died_at_write(2, When::Before).await;
    world.reaches(&id, State::Running).await;
    assert_eq!(world.daemon.faults().count(Call::Create), 1);
    assert_eq!(world.daemon.faults().count(Call::Spawn), 1);
    let process = world.engine.process(&id, &start()).unwrap();
    assert_eq!(process.status(), ProcessStatus::Running);
}

#[tokio::test]
async fn a_sandbox_whose_command_may_have_run_is_removed_and_not_handed_out() {
    let (world, id) = died_at_write(2, When::After).await;
    world.reaches(&id, State::Failed).await;
    let record = world.engine.get(&id).await.unwrap();
    assert_eq!(record.failure(), Some(&Failure::Broken));
    world.settle().await;
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn a_command_that_was_written_down_is_watched_again_and_not_started_again() {
    // The third write is the process.
    let (world, id) = died_at_write(3, When::After).await;
    world.reaches(&id, State::Running).await;
    assert_eq!(world.daemon.faults().count(Call::Spawn), 1);
    let process = world.engine.process(&id, &start()).unwrap();
    assert_eq!(process.status(), ProcessStatus::Running);
}

#[tokio::test]
async fn a_sandbox_that_ran_does_not_start_its_command_at_the_next_restart() {
    let (world, id) = died_at_write(2, When::Before).await;
    world.reaches(&id, State::Running).await;
    let world = world.restart().await.restart().await;
    world.reaches(&id, State::Running).await;
    assert_eq!(world.daemon.faults().count(Call::Spawn), 1);
}
