//! Images that ask for volumes.

use std::collections::HashMap;
use std::process::{Command as Program, Stdio};

use bollard::query_parameters::{
    InspectContainerOptions, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
};
use sandbox_core::{Command, ErrorKind, Runtime, SandboxExt, Source};
use sandbox_runtime_docker::AgentMode;

use crate::lab::{Lab, import, spec};
use crate::support::client;

/// An image of busybox, and of what `script` makes of its root, unless it is there.
async fn image(name: &str, script: &str, volumes: &[&str]) -> Source {
    let directory = format!(
        "sandbox-test-{}-{}",
        std::process::id(),
        name.replace(['/', ':'], "-")
    );
    let root = std::env::temp_dir().join(directory);
    std::fs::create_dir_all(&root).unwrap();
    let script = format!(
        "mkdir bin && cp /bin/busybox bin/ && for a in sh ls cat touch stat; do \
         ln -s busybox bin/$a; done; {script}; exec tar -cf - --numeric-owner ."
    );
    let tar = Program::new("sh")
        .args(["-ec", &script])
        .current_dir(&root)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    assert!(tar.status.success());
    let changes: Vec<String> = volumes
        .iter()
        .map(|path| format!("VOLUME {path}"))
        .collect();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    import(name, tar.stdout, &changes).await;
    Source::Image(name.into())
}

/// The volumes of a namespace's sandboxes.
async fn volumes(lab: &Lab) -> Vec<String> {
    let label = format!("dev.sandbox.namespace={}", lab.config.namespace);
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let listed = client().list_volumes(Some(options)).await.unwrap();
    let volumes = listed.volumes.unwrap_or_default().into_iter();
    volumes.map(|volume| volume.name).collect()
}

/// A root in which something else stands where the agent will be.
const IMPOSTOR: &str = "mkdir .sandbox && cp /bin/busybox .sandbox/sandbox-agent";

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_image_cannot_put_a_volume_over_the_agent_or_what_is_mounted() {
    let hostile = [
        ("link", "ln -s /.sandbox x", "/x"),
        ("root", "ln -s / x", "/x"),
        ("parent", "mkdir a && ln -s .. a/up", "/a/up/.sandbox"),
        ("twice", "ln -s y x && ln -s .sandbox y", "/x"),
        ("below", "ln -s / x", "/x/.sandbox/more"),
        ("itself", "true", "/.sandbox"),
        (
            "moved",
            "mkdir tmp && rm -r .sandbox && ln -s tmp .sandbox",
            "/tmp",
        ),
        ("proc", "mkdir proc && ln -s /proc/1 x", "/x/root"),
        ("dev", "mkdir dev && ln -s dev x", "/x/shm"),
        ("etc", "mkdir etc a && ln -s /etc a/b", "/a/b"),
    ];
    for agent in [AgentMode::Required, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        for (name, script, path) in hostile {
            let name = format!("sandbox-test/volume-{name}:1");
            let source = image(&name, &format!("{IMPOSTOR}; {script}"), &[path]).await;
            let made = spec().source(source).build().unwrap();
            let error = lab.runtime.create(&made).await.unwrap_err();
            let found = (error.kind(), error.field());
            assert_eq!(found, (ErrorKind::Unsupported, Some("image")), "{name}");
            assert_eq!(lab.containers().await, [""; 0], "{name}");
            assert_eq!(volumes(&lab).await, [""; 0], "{name}");
        }
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_volume_behind_a_harmless_link_is_given_with_what_the_image_has_there() {
    let lab = Lab::new(AgentMode::Required).await;
    let script = "mkdir -p run/x var && ln -s ../run var/run && echo kept >run/x/file";
    let name = "sandbox-test/volume-harmless:1";
    let source = image(name, script, &["/var/run/x/", "/new/place"]).await;
    // The second time the image is known.
    for _ in 0..2 {
        let made = spec().source(source.clone()).build().unwrap();
        let sandbox = lab.runtime.create(&made).await.unwrap();
        let line = "cat /run/x/file && touch /run/x/more /new/place/more && ls /run/x";
        let output = sandbox.exec(Command::shell(line)).await.unwrap();
        assert_eq!(output.stdout_lossy(), "kept\nfile\nmore\n");
        let container = format!("sandbox-{}-{}", lab.config.namespace, made.id());
        let inspected = client()
            .inspect_container(&container, None::<InspectContainerOptions>)
            .await
            .unwrap();
        let mounts = inspected.mounts.unwrap();
        let mut places: Vec<_> = mounts
            .iter()
            .filter_map(|m| m.destination.clone())
            .collect();
        places.sort_unstable();
        assert_eq!(places, ["/.sandbox", "/new/place", "/var/run/x"]);
        assert_eq!(volumes(&lab).await.len(), 2);
        sandbox.destroy().await.unwrap();
        assert_eq!(volumes(&lab).await, [""; 0]);
    }
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_image_that_asks_for_too_many_volumes_is_refused() {
    let lab = Lab::new(AgentMode::Auto).await;
    let paths: Vec<String> = (0..17).map(|n| format!("/v{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let source = image("sandbox-test/volume-many:1", "true", &paths).await;
    let made = spec().source(source).build().unwrap();
    let error = lab.runtime.create(&made).await.unwrap_err();
    assert_eq!(error.field(), Some("image"));
    assert!(
        error.message().contains("17") && error.message().contains("16"),
        "{error}"
    );
    assert_eq!(lab.containers().await, [""; 0]);
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn volumes_of_a_container_that_somebody_removed_without_them_go_with_the_namespace() {
    let lab = Lab::new(AgentMode::Auto).await;
    let source = image("sandbox-test/volume-left:1", "true", &["/data"]).await;
    let made = spec().source(source).build().unwrap();
    let _sandbox = lab.runtime.create(&made).await.unwrap();
    let name = format!("sandbox-{}-{}", lab.config.namespace, made.id());
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    client()
        .remove_container(&name, Some(options))
        .await
        .unwrap();
    assert_eq!(volumes(&lab).await.len(), 1);
    lab.docker.purge().await.unwrap();
    assert_eq!(volumes(&lab).await, [""; 0]);
    lab.close().await;
}
