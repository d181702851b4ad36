//! Nothing stays behind of a sandbox that was not made.

use std::time::Duration;

use sandbox_core::{Error, ErrorKind, Runtime, SandboxExt, Source};
use sandbox_runtime_docker::{AgentMode, PullPolicy};

use crate::lab::{Lab, eventually, import, single, spec};
use crate::support::tar;

async fn refused(lab: &Lab, spec: sandbox_core::SandboxSpecBuilder) -> Error {
    let error = lab
        .runtime
        .create(&spec.build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(lab.containers().await, [""; 0], "{error}");
    error
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_unknown_image_is_not_found_and_leaves_nothing() {
    let lab = Lab::with(|config| config.pull = PullPolicy::Never).await;
    let image = Source::Image("sandbox-test/nosuch:1".into());
    let error = refused(&lab, spec().source(image.clone())).await;
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("image"))
    );
    let error = lab.runtime.prepare(&image).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("image"))
    );
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_registry_that_does_not_answer_is_unavailable_by_name() {
    let lab = Lab::new(AgentMode::Auto).await;
    let image = Source::Image("127.0.0.1:1/nosuch:1".into());
    let error = refused(&lab, spec().source(image)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("127.0.0.1:1"), "{error}");
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_image_without_a_shell_is_refused_where_the_agent_is_not() {
    let lab = Lab::new(AgentMode::Never).await;
    let image = "sandbox-test/shell-less:1";
    let busybox = std::fs::read("/bin/busybox").unwrap();
    import(image, single("busybox", &busybox), &[]).await;
    let error = refused(&lab, spec().source(Source::Image(image.into()))).await;
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unsupported, Some("image")),
        "{error:?}"
    );
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_second_sandbox_of_one_id_conflicts_and_the_first_lives_on() {
    let lab = Lab::new(AgentMode::Auto).await;
    let spec = spec().build().unwrap();
    let first = lab.runtime.create(&spec).await.unwrap();
    let error = lab.runtime.create(&spec).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Conflict, Some("id"))
    );
    // Another runtime of the namespace knows nothing of the first one's handles.
    let other = sandbox_runtime_docker::DockerRuntime::connect(lab.config.clone())
        .await
        .unwrap();
    let error = other.create(&spec).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Conflict, Some("id"))
    );
    let output = first
        .exec(sandbox_core::Command::shell("echo on"))
        .await
        .unwrap();
    assert_eq!(output.stdout_lossy(), "on\n");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn a_create_dropped_at_any_moment_leaves_nothing() {
    let lab = Lab::new(AgentMode::Auto).await;
    // Warm, so that the moments below fall on the steps and not on the first use.
    lab.sandbox().await.destroy().await.unwrap();
    for millis in [0, 1, 5, 20, 40, 80, 120, 160, 200, 240, 280, 320, 360, 400] {
        let spec = spec().build().unwrap();
        let making = lab.runtime.create(&spec);
        if let Ok(made) = tokio::time::timeout(Duration::from_millis(millis), making).await {
            made.unwrap().destroy().await.unwrap();
        }
    }
    eventually("everything dropped is removed", async || {
        lab.containers().await.is_empty()
    })
    .await;
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn destroying_twice_and_at_once_is_one_destroying() {
    let lab = Lab::new(AgentMode::Auto).await;
    let sandbox = lab.sandbox().await;
    let (one, two, three) = tokio::join!(sandbox.destroy(), sandbox.destroy(), sandbox.destroy());
    one.and(two).and(three).unwrap();
    assert_eq!(lab.containers().await, [""; 0]);
    sandbox.destroy().await.unwrap();
    let path = sandbox_core::SandboxPath::root();
    assert_eq!(
        sandbox.stat(&path).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        sandbox.pause().await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        sandbox.stats().await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn volumes_an_image_asks_for_go_with_the_sandbox() {
    let lab = Lab::new(AgentMode::Auto).await;
    let image = "sandbox-test/volume:1";
    let busybox = std::fs::read("/bin/busybox").unwrap();
    import(image, tar::busybox_root(&busybox), &["VOLUME /data"]).await;
    let made = spec().source(Source::Image(image.into())).build().unwrap();
    let sandbox = lab.runtime.create(&made).await.unwrap();
    let name = format!("sandbox-{}-{}", lab.config.namespace, made.id());
    let client = crate::support::client();
    let inspected = client
        .inspect_container(
            &name,
            None::<bollard::query_parameters::InspectContainerOptions>,
        )
        .await
        .unwrap();
    let mounts = inspected.mounts.unwrap();
    let data = mounts
        .iter()
        .find(|m| m.destination.as_deref() == Some("/data"))
        .unwrap();
    let volume = data.name.clone().unwrap();
    client.inspect_volume(&volume).await.unwrap();
    sandbox.destroy().await.unwrap();
    assert!(client.inspect_volume(&volume).await.is_err());
    lab.close().await;
}
