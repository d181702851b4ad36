//! Sandboxes found again.

use std::time::Duration;

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use sandbox_core::{Command, RecoveredState, Runtime, SandboxExt};
use sandbox_runtime_docker::{AgentMode, DockerRuntime};

use crate::lab::{Lab, spec};
use crate::support::client;

async fn take_away(name: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    client()
        .remove_container(name, Some(options))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn another_runtime_of_the_namespace_finds_running_paused_and_broken_ones() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let running = spec().env("A", "b c").metadata("k", "v").build().unwrap();
        lab.runtime.create(&running).await.unwrap();
        let paused = lab.sandbox().await;
        paused.pause().await.unwrap();
        let headless = lab.sandbox().await;
        let name = format!("sandbox-{}-{}", lab.config.namespace, headless.id());
        take_away(&name).await;
        let unheld = lab.sandbox().await;
        let name = format!("sandbox-{}-{}.holder", lab.config.namespace, unheld.id());
        take_away(&name).await;

        let again = DockerRuntime::connect(lab.config.clone()).await.unwrap();
        let found = again.recover().await.unwrap();
        assert_eq!(found.len(), 4);
        let state = |id: &sandbox_core::SandboxId| found.iter().find(|one| one.id == *id).unwrap();
        assert_eq!(state(paused.id()).state, RecoveredState::Paused);
        assert_eq!(state(headless.id()).state, RecoveredState::Broken);
        assert_eq!(state(unheld.id()).state, RecoveredState::Broken);
        let one = state(running.id());
        assert_eq!(one.state, RecoveredState::Running);
        assert_eq!(one.sandbox.spec(), &running);
        let output = one.sandbox.exec(Command::shell("echo $A")).await.unwrap();
        assert_eq!(output.stdout_lossy(), "b c\n");
        state(paused.id()).sandbox.resume().await.unwrap();
        for one in &found {
            one.sandbox.destroy().await.unwrap();
        }
        assert_eq!(lab.containers().await, [""; 0]);
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn namespaces_do_not_see_each_other() {
    let (one, two) = (
        Lab::new(AgentMode::Auto).await,
        Lab::new(AgentMode::Auto).await,
    );
    let sandbox = one.sandbox().await;
    assert!(two.runtime.recover().await.unwrap().is_empty());
    two.docker.purge().await.unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
    one.close().await;
    two.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn old_pieces_that_never_ran_are_reaped_and_others_are_not() {
    let lab = Lab::new(AgentMode::Auto).await;
    let half = lab.sandbox().await;
    let name = format!("sandbox-{}-{}", lab.config.namespace, half.id());
    take_away(&name).await;
    let whole = lab.sandbox().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut config = lab.config.clone();
    DockerRuntime::open(config.clone()).await.unwrap();
    assert_eq!(lab.containers().await.len(), 3);
    config.orphan_age = Duration::from_secs(1);
    DockerRuntime::open(config).await.unwrap();
    assert_eq!(lab.containers().await.len(), 2);
    whole.exec(Command::shell("true")).await.unwrap();
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn ten_sandboxes_are_found_within_half_a_second() {
    let lab = Lab::new(AgentMode::Auto).await;
    for _ in 0..10 {
        lab.sandbox().await;
    }
    let again = DockerRuntime::connect(lab.config.clone()).await.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(again.recover().await.unwrap().len(), 10);
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    lab.close().await;
}
