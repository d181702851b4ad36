//! What others do to a sandbox's containers.

use std::time::Duration;

use bollard::query_parameters::KillContainerOptions;
use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, Command, ErrorKind, RecoveredState, Resources, Runtime, RuntimeEvent, SandboxExt,
};
use sandbox_runtime_docker::AgentMode;

use crate::lab::{Lab, eventually, spec};
use crate::support::client;

async fn expect(events: &mut BoxStream<RuntimeEvent>, wanted: impl Fn(&RuntimeEvent) -> bool) {
    let found = async {
        while let Some(event) = events.next().await {
            if wanted(&event) {
                return;
            }
        }
        panic!("the events ended");
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect("the event did not come");
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_container_killed_from_outside_is_reported_and_gone_for_its_users() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let mut events = lab.runtime.events();
        let sandbox = lab.sandbox().await;
        let id = sandbox.id().clone();
        let process = sandbox.spawn(Command::shell("sleep 1000")).await.unwrap();
        let name = format!("sandbox-{}-{id}", lab.config.namespace);
        client()
            .kill_container(&name, None::<KillContainerOptions>)
            .await
            .unwrap();
        expect(&mut events, |event| {
            *event == RuntimeEvent::Exited(id.clone())
        })
        .await;
        let ended = tokio::time::timeout(Duration::from_secs(20), process.wait()).await;
        assert_eq!(ended.unwrap().unwrap().exit, sandbox_core::Exit::Lost);
        let spawned = sandbox.spawn(Command::shell("true")).await.err();
        let paused = sandbox.pause().await.err();
        let snapshot = sandbox.snapshot().await.err();
        let path = sandbox_core::SandboxPath::root();
        let stat = sandbox.stat(&path).await.err();
        for error in [spawned, paused, snapshot, stat] {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            assert!(error.message().contains("has ended"), "{error}");
        }
        let found = lab.runtime.recover().await.unwrap();
        assert_eq!((found.len(), found[0].state), (1, RecoveredState::Broken));
        sandbox.destroy().await.unwrap();
        assert_eq!(lab.containers().await, [""; 0]);
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_pause_from_outside_is_seen_and_undone() {
    let lab = Lab::new(AgentMode::Auto).await;
    let sandbox = lab.sandbox().await;
    let name = format!("sandbox-{}-{}", lab.config.namespace, sandbox.id());
    client().pause_container(&name).await.unwrap();
    let path = sandbox_core::SandboxPath::root();
    eventually("the pause is seen", async || {
        let stat = tokio::time::timeout(Duration::from_millis(500), sandbox.stat(&path)).await;
        matches!(stat, Ok(Err(error)) if error.kind() == ErrorKind::Conflict)
    })
    .await;
    sandbox.pause().await.unwrap();
    sandbox.resume().await.unwrap();
    sandbox.resume().await.unwrap();
    sandbox.stat(&path).await.unwrap();
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn destroying_a_paused_sandbox_works() {
    let lab = Lab::new(AgentMode::Auto).await;
    let sandbox = lab.sandbox().await;
    sandbox.pause().await.unwrap();
    assert_eq!(
        sandbox.stats().await.unwrap().memory_limit,
        Resources::default().memory
    );
    sandbox.destroy().await.unwrap();
    assert_eq!(lab.containers().await, [""; 0]);
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_child_over_the_memory_limit_dies_and_the_sandbox_lives() {
    let lab = Lab::new(AgentMode::Auto).await;
    let mut events = lab.runtime.events();
    let small = Resources {
        memory: 64 << 20,
        ..Resources::default()
    };
    let made = spec().resources(small).build().unwrap();
    let sandbox = lab.runtime.create(&made).await.unwrap();
    // The shell's own memory grows; nothing else would be killed in its stead.
    let hog = Command::shell("x=0123456789abcdef; while :; do x=$x$x; done");
    let output = sandbox.exec(hog).await.unwrap();
    assert!(!output.status.success(), "{output:?}");
    expect(&mut events, |event| {
        matches!(event, RuntimeEvent::OutOfMemory { id, fatal: false, .. } if id == made.id())
    })
    .await;
    let output = sandbox.exec(Command::shell("echo alive")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "alive\n");
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn hogs_that_fill_all_memory_die_before_the_agent() {
    let lab = Lab::new(AgentMode::Required).await;
    let mut events = lab.runtime.events();
    let small = Resources {
        memory: 32 << 20,
        ..Resources::default()
    };
    let made = spec().resources(small).build().unwrap();
    let sandbox = lab.runtime.create(&made).await.unwrap();
    // Many at once, in sessions of their own, each of which is killed while others grow; small
    // ones, so that no process is an obvious victim.
    let hogs = "for i in 1 2 3 4 5 6 7 8; do \
                setsid sh -c 'x=0123456789abcdef; while :; do x=$x$x; done' & done; \
                for i in $(seq 200); do sleep 1000 & done; wait";
    for _ in 0..3 {
        let hog = sandbox.spawn(Command::shell(hogs)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let answered = sandbox.spawn(Command::shell("true"));
        let answered = tokio::time::timeout(Duration::from_secs(20), answered).await;
        assert!(answered.is_ok(), "the agent hangs");
        let killed = hog.signal(sandbox_core::Signal::KILL).await;
        assert!(
            killed
                .as_ref()
                .err()
                .is_none_or(|error| !error.is_retryable()),
            "{killed:?}"
        );
    }
    expect(&mut events, |event| {
        matches!(event, RuntimeEvent::OutOfMemory { id, fatal: false, .. } if id == made.id())
    })
    .await;
    eventually("the sandbox works again", async || {
        let output = sandbox.exec(Command::shell("echo alive")).await;
        output.is_ok_and(|output| output.stdout_lossy() == "alive\n")
    })
    .await;
    let found = lab.runtime.recover().await.unwrap();
    assert_eq!(found[0].state, RecoveredState::Running);
    sandbox.destroy().await.unwrap();
    lab.close().await;
}
