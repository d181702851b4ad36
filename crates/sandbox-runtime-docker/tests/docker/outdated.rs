//! Agents that other versions left, on a daemon of the test's own.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
    TagImageOptionsBuilder,
};
use sandbox_core::{Command, Runtime, SandboxExt};
use sandbox_runtime_docker::{AgentMode, DockerRuntime};

use crate::daemon::{Daemon, volumes};
use crate::lab::spec;
use crate::support::IMAGE;

/// A container that is never started, with `volume` mounted.
async fn container(client: &Docker, name: &str, program: &str, volume: &str) {
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        entrypoint: Some(vec![program.to_owned()]),
        labels: Some([("dev.sandbox.role".to_owned(), "agent".to_owned())].into()),
        host_config: Some(HostConfig {
            mounts: Some(vec![Mount {
                target: Some("/.sandbox".to_owned()),
                source: Some(volume.to_owned()),
                typ: Some(MountType::VOLUME),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    client.create_container(Some(options), body).await.unwrap();
}

async fn is_there(client: &Docker, container: &str) -> bool {
    let found = client.inspect_container(container, None::<InspectContainerOptions>);
    found.await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and dockerd"]
async fn agents_of_other_versions_are_collected_once_nothing_uses_them() {
    let daemon = Daemon::start("outdated").await;
    let client = daemon.client();
    let keeper = |digit: &str| format!("sandbox-agent-{}", digit.repeat(16));
    let volume = |digit: &str| format!("{}-{}", keeper(digit), digit.repeat(12));
    for digit in ["1", "2"] {
        container(&client, &keeper(digit), "/sandbox-agent", &volume(digit)).await;
    }
    // A sandbox of the second version; a delivery that is under way; a volume that the daemon made
    // because it was gone; and what is called alike and somebody else's.
    container(&client, "user", "/.sandbox/sandbox-agent", &volume("2")).await;
    container(&client, &volume("3"), "/sandbox-agent", &volume("3")).await;
    for name in [volume("4"), format!("{}-data", keeper("5"))] {
        let request = VolumeCreateRequest {
            name: Some(name),
            ..VolumeCreateRequest::default()
        };
        client.create_volume(request).await.unwrap();
    }
    container(&client, &keeper("6"), "/bin/sh", "data").await;
    let tag = "7".repeat(16);
    let options = TagImageOptionsBuilder::new()
        .repo("sandbox-holder")
        .tag(&tag)
        .build();
    client.tag_image(IMAGE, Some(options)).await.unwrap();

    // All of it is too young.
    let mut config = daemon.config(AgentMode::Required);
    config.orphan_age = Duration::from_secs(600);
    DockerRuntime::open(config.clone()).await.unwrap();
    assert!(is_there(&client, &keeper("1")).await);

    config.orphan_age = Duration::ZERO;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let runtime = DockerRuntime::open(config.clone()).await.unwrap();
    let sandbox = runtime.create(&spec().build().unwrap()).await.unwrap();
    let mut left = volumes(&client).await;
    let made_here = ["1", "2", "3", "4", "5", "6"].map(keeper);
    left.retain(|name| name == "data" || made_here.iter().any(|one| name.starts_with(one)));
    left.sort_unstable();
    let kept = [
        "data".to_owned(),
        volume("2"),
        volume("3"),
        format!("{}-data", keeper("5")),
    ];
    assert_eq!(left, kept);
    for (name, there) in [
        (keeper("1"), false),
        (keeper("2"), true),
        (volume("3"), true),
        (keeper("6"), true),
    ] {
        assert_eq!(is_there(&client, &name).await, there, "{name}");
    }
    let outdated = format!("sandbox-holder:{tag}");
    assert!(client.inspect_image(&outdated).await.is_err());
    client.inspect_image(IMAGE).await.unwrap();
    let output = sandbox.exec(Command::shell("echo on")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "on\n");

    // Its last user gone, the other version's agent goes too.
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    client.remove_container("user", Some(force)).await.unwrap();
    DockerRuntime::open(config).await.unwrap();
    assert!(!is_there(&client, &keeper("2")).await);
    assert!(!volumes(&client).await.contains(&volume("2")));
    runtime.purge().await.unwrap();
    drop(daemon);
}
