//! Deadlines, requests and what becomes of failures.

use sandbox_core::lifecycle::State;
use sandbox_core::{Command, ErrorKind, Sandbox, SandboxExt};
use sandbox_testkit::{Call, Fault, When};

use crate::support::{World, ephemeral, persistent, request, secs};

#[tokio::test]
async fn create_answers_when_the_sandbox_runs_and_can_be_used() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    let output = sandbox.exec(Command::shell("echo hi")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "hi\n");
}

#[tokio::test]
async fn a_sandbox_is_destroyed_when_its_time_to_live_is_over_and_not_before() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.clock.advance(secs(59));
    world.settle().await;
    assert_eq!(world.state(&id).await, State::Running);
    world.clock.advance(secs(1));
    world.reaches(&id, State::Destroyed).await;
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn keep_alive_and_set_timeout_move_the_end() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let record = world.engine.keep_alive(&id, secs(300)).await.unwrap();
    assert_eq!(record.expires_at(), Some(world.clock.now().plus(secs(300))));
    world.engine.keep_alive(&id, secs(10)).await.unwrap();
    world.clock.advance(secs(299));
    world.settle().await;
    assert_eq!(world.state(&id).await, State::Running);
    world.engine.set_timeout(&id, secs(2)).await.unwrap();
    world.clock.advance(secs(2));
    world.reaches(&id, State::Destroyed).await;
}

#[tokio::test]
async fn an_idle_persistent_sandbox_is_paused_and_a_used_one_is_not() {
    let world = World::new().await;
    let id = world.create(persistent(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    for _ in 0..5 {
        world.clock.advance(secs(59));
        sandbox.exec(Command::shell("true")).await.unwrap();
    }
    world.settle().await;
    assert_eq!(world.state(&id).await, State::Running);
    world.clock.advance(secs(60));
    world.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn a_command_in_flight_and_a_stream_that_is_read_keep_a_sandbox_awake() {
    let world = World::new().await;
    let id = world.create(persistent(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    let process = sandbox.spawn(Command::shell("sleep 1000")).await.unwrap();
    let output = process.events().unwrap();
    for _ in 0..5 {
        world.clock.advance(secs(60));
        world.settle().await;
    }
    assert_eq!(world.state(&id).await, State::Running);
    drop(output);
    world.clock.advance(secs(60));
    world.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn a_command_wakes_a_paused_sandbox_whose_policy_says_so_and_waits_for_it() {
    let world = World::new().await;
    let id = world.create(persistent(60).with_auto_wake(true)).await;
    world.engine.pause(&id).await.unwrap();
    let sandbox = world.engine.sandbox(&id).unwrap();
    let output = sandbox.exec(Command::shell("echo awake")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "awake\n");
    assert_eq!(world.state(&id).await, State::Running);
}

#[tokio::test]
async fn a_command_in_a_paused_sandbox_that_does_not_wake_is_a_conflict() {
    let world = World::new().await;
    let id = world.create(persistent(60)).await;
    world.engine.pause(&id).await.unwrap();
    let sandbox = world.engine.sandbox(&id).unwrap();
    let error = sandbox.exec(Command::shell("true")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(world.state(&id).await, State::Paused);
    world.engine.resume(&id).await.unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
}

#[tokio::test]
async fn commands_for_a_sandbox_that_is_still_being_made_wait_for_it() {
    let world = World::new().await;
    let create = Fault::delay(Call::Create, When::Before, secs(5));
    world.daemon.faults().inject(create);
    let record = world
        .engine
        .create_detached(request(ephemeral(60)))
        .await
        .unwrap();
    assert_eq!(record.state(), State::Creating);
    let sandbox = world.engine.sandbox(record.id()).unwrap();
    let command = tokio::spawn(async move { sandbox.exec(Command::shell("echo hi")).await });
    world.settle().await;
    assert!(!command.is_finished());
    world.clock.advance(secs(5));
    let output = command.await.unwrap().unwrap();
    assert_eq!(output.stdout_lossy(), "hi\n");
}

#[tokio::test]
async fn destroy_during_a_slow_create_is_carried_out_at_once_and_leaves_nothing() {
    for when in [When::Before, When::After] {
        let world = World::new().await;
        world
            .daemon
            .faults()
            .inject(Fault::hang(Call::Create, when));
        let engine = world.engine.clone();
        let creating = tokio::spawn(async move { engine.create(request(ephemeral(60))).await });
        world.daemon.faults().wait_for_hanging(1).await;
        let page = world.engine.list(&Default::default()).await.unwrap();
        let id = page.sandboxes[0].id().clone();
        let gone = world.engine.destroy(&id).await.unwrap();
        assert_eq!(gone.state(), State::Destroyed);
        let error = creating.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(world.daemon.sandboxes().is_empty(), "{when:?}");
    }
}

#[tokio::test]
async fn what_comes_of_a_creation_that_was_given_up_is_looked_for_later() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Create, When::Before));
    let record = world
        .engine
        .create_detached(request(ephemeral(60)))
        .await
        .unwrap();
    world.daemon.faults().wait_for_hanging(1).await;
    world.engine.destroy(record.id()).await.unwrap();
    // The daemon finishes what nobody waits for any more.
    sandbox_core::Runtime::create(&world.daemon.connect(), &record.spec)
        .await
        .unwrap();
    world.settle().await;
    world.clock.advance(secs(30));
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
        if world.daemon.sandboxes().is_empty() {
            return;
        }
    }
    panic!("an orphan was left");
}

#[tokio::test]
async fn destroy_is_idempotent_and_the_record_stays_for_its_retention() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    for _ in 0..3 {
        let record = world.engine.destroy(&id).await.unwrap();
        assert_eq!(record.state(), State::Destroyed);
    }
    assert_eq!(world.daemon.faults().count(Call::Destroy), 1);
    world.clock.advance(secs(24 * 3600 + 1));
    let error = world.engine.get(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        world.engine.sandbox(&id).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_destroy_that_fails_is_told_and_tried_again_until_it_is_done() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let fault = Fault::fail(Call::Destroy, When::Before, ErrorKind::Unavailable);
    world.daemon.faults().inject(fault);
    let error = world.engine.destroy(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.state(&id).await, State::Destroying);
    world.clock.advance(secs(1));
    world.reaches(&id, State::Destroyed).await;
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn a_creation_that_fails_says_why_and_leaves_a_failed_record_and_nothing_else() {
    let world = World::new().await;
    for when in [When::Before, When::After] {
        let fault = Fault::fail(Call::Create, when, ErrorKind::NotFound)
            .with_message("no such image", Some("image"));
        world.daemon.faults().inject(fault);
        let error = world
            .engine
            .create(request(ephemeral(60)))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("image"))
        );
        let page = world.engine.list(&Default::default()).await.unwrap();
        assert_eq!(page.sandboxes[0].state(), State::Failed);
        let id = page.sandboxes[0].id().clone();
        world.engine.destroy(&id).await.unwrap();
        assert!(world.daemon.sandboxes().is_empty(), "{when:?}");
    }
}

#[tokio::test]
async fn a_pause_that_fails_is_told_and_the_sandbox_runs_on() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let fault = Fault::fail(Call::Pause, When::Before, ErrorKind::Internal);
    world.daemon.faults().inject(fault);
    let error = world.engine.pause(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(world.state(&id).await, State::Running);
    let sandbox = world.engine.sandbox(&id).unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
}

#[tokio::test]
async fn a_resume_that_fails_is_told_and_the_sandbox_stays_paused() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.engine.pause(&id).await.unwrap();
    let fault = Fault::fail(Call::Resume, When::Before, ErrorKind::Unavailable);
    world.daemon.faults().inject(fault);
    let error = world.engine.resume(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.state(&id).await, State::Paused);
}

#[tokio::test]
async fn an_action_that_never_ends_is_given_up_after_its_time() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Pause, When::Before));
    let engine = world.engine.clone();
    let pausing = tokio::spawn({
        let id = id.clone();
        async move { engine.pause(&id).await }
    });
    world.daemon.faults().wait_for_hanging(1).await;
    world.clock.advance(secs(60));
    let error = pausing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(world.state(&id).await, State::Running);
}

#[tokio::test]
async fn a_sandbox_that_ends_by_itself_is_failed_and_what_it_left_is_removed() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    assert!(world.daemon.crash(&id));
    world.reaches(&id, State::Failed).await;
    world.settle().await;
    assert!(world.daemon.sandboxes().is_empty());
    let sandbox = world.engine.sandbox(&id).unwrap();
    let error = sandbox.exec(Command::shell("true")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_handle_pauses_resumes_and_destroys_through_the_life_of_the_sandbox() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let sandbox = world.engine.sandbox(&id).unwrap();
    sandbox.pause().await.unwrap();
    assert_eq!(sandbox.record().state(), State::Paused);
    sandbox.resume().await.unwrap();
    assert_eq!(sandbox.record().state(), State::Running);
    sandbox.destroy().await.unwrap();
    sandbox.destroy().await.unwrap();
    assert_eq!(world.state(&id).await, State::Destroyed);
    let error = sandbox.exec(Command::shell("true")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn shutdown_leaves_running_sandboxes_running_and_refuses_what_is_new() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.engine.shutdown().await;
    assert_eq!(world.daemon.sandboxes().len(), 1);
    let error = world
        .engine
        .create(request(ephemeral(60)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = world.engine.sandbox(&id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.clock.sleepers(), 0, "a timer is left");
}

#[tokio::test]
async fn an_engine_that_is_dropped_leaves_no_task() {
    let world = World::new().await;
    world.create(ephemeral(60)).await;
    let World { clock, engine, .. } = world;
    drop(engine);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(clock.sleepers(), 0);
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
}
