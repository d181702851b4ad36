//! Containers of others that carry our labels.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptions,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures_util::StreamExt;
use sandbox_core::{Command, RecoveredState, Runtime, RuntimeEvent, SandboxExt};
use sandbox_runtime_docker::{AgentMode, DockerRuntime};

use crate::lab::{Lab, spec};
use crate::support::{IMAGE, client};

/// A running container that somebody else made; removed when dropped.
struct Foreign(String);

impl Foreign {
    async fn start(name: &str, image: &str, labels: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(["sleep", "1000"].map(str::to_owned).into()),
            labels: Some(labels.iter().map(owned).collect()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let made = client().create_container(Some(options), body).await;
        let id = made.unwrap().id;
        let started = client()
            .start_container(&id, None::<StartContainerOptions>)
            .await;
        started.unwrap();
        Self(id)
    }

    async fn lives(&self) -> bool {
        let found = client()
            .inspect_container(&self.0, None::<InspectContainerOptions>)
            .await;
        found.is_ok_and(|found| found.state.and_then(|state| state.running) == Some(true))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let id = self.0.clone();
        crate::support::wait_for(async move {
            let options = RemoveContainerOptionsBuilder::new().force(true).build();
            let _ = client().remove_container(&id, Some(options)).await;
        });
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn containers_that_only_carry_our_labels_are_left_alone() {
    let lab = Lab::with(|config| config.orphan_age = Duration::ZERO).await;
    let namespace = lab.config.namespace.clone();
    let labels = |role| {
        [
            ("dev.sandbox.namespace", namespace.as_str()),
            ("dev.sandbox.role", role),
            ("dev.sandbox.id", "someone-elses"),
            ("dev.sandbox.network", "none"),
            ("dev.sandbox.channel", "agent"),
        ]
    };
    let named = |suffix: &str| format!("sandbox-{namespace}-someone-elses{suffix}");
    let sandbox = lab.sandbox().await;
    let snapshot = sandbox.snapshot().await.unwrap();
    let snapshot = format!("sandbox-snapshot-{namespace}:{snapshot}");
    let other = |name: &str| format!("{name}-{namespace}");
    let foreign = [
        Foreign::start(&other("sandbox"), IMAGE, &labels("sandbox")).await,
        Foreign::start(&other("holder"), IMAGE, &labels("holder")).await,
        Foreign::start(&other("probe"), IMAGE, &labels("probe")).await,
        Foreign::start(&other("snapshot"), &snapshot, &[]).await,
        // Our names, and nothing else of ours.
        Foreign::start(&named(""), IMAGE, &labels("sandbox")).await,
        Foreign::start(&named(".holder"), IMAGE, &labels("holder")).await,
    ];
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    // Another start reaps whatever is old.
    let again = DockerRuntime::open(lab.config.clone()).await.unwrap();
    let found = again.recover().await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].id, *sandbox.id());
    assert_eq!(found[0].state, RecoveredState::Running);
    again.purge().await.unwrap();
    for one in &foreign {
        assert!(one.lives().await, "{}", one.0);
    }
    drop(foreign);
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn the_end_of_a_container_with_our_labels_is_not_the_end_of_a_sandbox() {
    let lab = Lab::new(AgentMode::Auto).await;
    let mut events = lab.runtime.events();
    let made = spec().build().unwrap();
    let sandbox = lab.runtime.create(&made).await.unwrap();
    let labels = [
        ("dev.sandbox.namespace", lab.config.namespace.as_str()),
        ("dev.sandbox.role", "sandbox"),
        ("dev.sandbox.id", made.id().as_str()),
    ];
    let name = format!("other-{}", lab.config.namespace);
    let foreign = Foreign::start(&name, IMAGE, &labels).await;
    let killed = client()
        .kill_container(&foreign.0, None::<KillContainerOptions>)
        .await;
    killed.unwrap();
    // The daemon tells of one after the other.
    let last = lab.sandbox().await;
    let name = format!("sandbox-{}-{}", lab.config.namespace, last.id());
    let killed = client()
        .kill_container(&name, None::<KillContainerOptions>)
        .await;
    killed.unwrap();
    let first = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
    assert_eq!(
        first.unwrap(),
        Some(RuntimeEvent::Exited(last.id().clone()))
    );
    sandbox.exec(Command::shell("true")).await.unwrap();
    drop(foreign);
    lab.close().await;
}
