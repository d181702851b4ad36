//! Snapshots as images.

use bytes::Bytes;
use sandbox_core::{Command, ErrorKind, Runtime, SandboxExt, SandboxPath, Source, User};
use sandbox_runtime_docker::AgentMode;

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
