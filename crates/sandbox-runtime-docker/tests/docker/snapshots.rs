//! Snapshots as images.

use bollard::query_parameters::InspectContainerOptions;
use bytes::Bytes;
use sandbox_core::{Command, ErrorKind, Runtime, SandboxExt, SandboxPath, Source, User};
use sandbox_runtime_docker::{AgentMode, PullPolicy};

use crate::lab::{Lab, spec};
use crate::support::client;

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_snapshot_keeps_files_and_nothing_else() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let origin = spec()
            .env("SECRET", "hunter2")
            .user(User::new("user").unwrap());
        let origin = lab.runtime.create(&origin.build().unwrap()).await.unwrap();
        let path = SandboxPath::new("/home/user/kept").unwrap();
        origin
            .write_all(&path, Bytes::from_static(b"kept"))
            .await
            .unwrap();
        origin.spawn(Command::shell("sleep 1000")).await.unwrap();
        let snapshot = origin.snapshot().await.unwrap();
        origin.exec(Command::shell("true")).await.unwrap();
        origin.destroy().await.unwrap();

        let name = format!("sandbox-snapshot-{}:{snapshot}", lab.config.namespace);
        let image = client().inspect_image(&name).await.unwrap();
        let image = serde_json::to_string(&image).unwrap();
        assert!(!image.contains("hunter2"), "{image}");

        let source = Source::Snapshot(snapshot.clone());
        let made = spec().source(source.clone()).build().unwrap();
        let copy = lab.runtime.create(&made).await.unwrap();
        assert_eq!(copy.read_to_string(&path).await.unwrap(), "kept");
        let output = copy
            .exec(Command::shell("id -u; echo $SECRET"))
            .await
            .unwrap();
        assert_eq!(output.stdout_lossy(), "0\n\n");
        lab.runtime.remove_snapshot(&snapshot).await.unwrap();
        copy.exec(Command::shell("true")).await.unwrap();
        let error = lab.runtime.remove_snapshot(&snapshot).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("snapshot"))
        );
        let again = spec().source(source).build().unwrap();
        let error = lab.runtime.create(&again).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("source.snapshot"))
        );
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn no_image_name_reaches_a_snapshot_or_what_is_ours() {
    let owner = Lab::with(|config| config.pull = PullPolicy::Never).await;
    let origin = owner.sandbox().await;
    let snapshot = origin.snapshot().await.unwrap();
    let name = format!("sandbox-snapshot-{}:{snapshot}", owner.config.namespace);
    let image = client().inspect_image(&name).await.unwrap();
    let id = image.id.unwrap();
    let digits = id.strip_prefix("sha256:").unwrap();
    let holder = format!("sandbox-{}-{}.holder", owner.config.namespace, origin.id());
    let inspected = client()
        .inspect_container(&holder, None::<InspectContainerOptions>)
        .await;
    let holder = inspected.unwrap().config.unwrap().image.unwrap();

    let thief = Lab::with(|config| config.pull = PullPolicy::Never).await;
    let names = [
        name.clone(),
        format!("library/{name}"),
        format!("docker.io/{name}"),
        format!("index.docker.io/library/{name}"),
        holder,
        id.clone(),
        digits.to_owned(),
        digits[..12].to_owned(),
        digits[..9].to_owned(),
        format!("sandbox-test/busybox@{id}"),
        format!("x@{id}"),
    ];
    for (lab, name) in [&owner, &thief]
        .into_iter()
        .flat_map(|lab| names.iter().map(move |name| (lab, name)))
    {
        let source = Source::Image(name.clone());
        let made = spec().source(source.clone()).build().unwrap();
        let create = lab.runtime.create(&made).await.unwrap_err();
        let prepare = lab.runtime.prepare(&source).await.err().unwrap();
        for error in [create, prepare] {
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::InvalidSpec | ErrorKind::NotFound),
                "{name}: {error:?}"
            );
            assert_eq!(error.field(), Some("image"), "{name}");
        }
    }
    let stolen = Source::Snapshot(snapshot);
    let made = spec().source(stolen.clone()).build().unwrap();
    let error = thief.runtime.create(&made).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let made = spec().source(stolen).build().unwrap();
    owner.runtime.create(&made).await.unwrap();
    thief.close().await;
    owner.close().await;
}
