//! Snapshots.

use sandbox_core::{Command, ErrorKind, Result, SandboxExt, SnapshotId, Source};

use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn a_snapshot_keeps_files_and_not_processes(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.harness.disk().join("kept")?;
    sandbox.write_all(&file, "then".into()).await?;
    sandbox.spawn(Command::argv(["sleep", "599.25"])).await?;
    let snapshot = t.snapshot(&sandbox).await?;
    sandbox.write_all(&file, "now".into()).await?;
    let copy = t
        .create(t.spec().source(Source::Snapshot(snapshot)))
        .await?;
    assert_eq!(copy.read_to_string(&file).await?, "then");
    assert_eq!(sandbox.read_to_string(&file).await?, "now");
    if t.can().processes {
        let listed = copy.processes().await?;
        let slept = listed
            .iter()
            .any(|info| info.argv.iter().any(|a| a == "599.25"));
        assert!(!slept, "{listed:?}");
    }
    copy.write_all(&file, "copy's".into()).await?;
    assert_eq!(sandbox.read_to_string(&file).await?, "now");
    Ok(())
}

pub(in crate::conformance) async fn a_snapshot_outlives_its_sandbox(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.harness.disk().join("kept")?;
    sandbox.write_all(&file, "kept".into()).await?;
    let snapshot = t.snapshot(&sandbox).await?;
    sandbox.destroy().await?;
    for _ in 0..2 {
        let source = Source::Snapshot(snapshot.clone());
        let copy = t.create(t.spec().source(source)).await?;
        assert_eq!(copy.read_to_string(&file).await?, "kept");
    }
    Ok(())
}

pub(in crate::conformance) async fn an_unknown_snapshot_is_not_found(t: &Trial) -> Result<()> {
    let unknown = SnapshotId::new("no-such-snapshot")?;
    let source = Source::Snapshot(unknown.clone());
    let made = t.create(t.spec().source(source)).await;
    refused(made, ErrorKind::NotFound, Some("source.snapshot"));
    let removed = t.runtime.remove_snapshot(&unknown).await;
    refused(removed, ErrorKind::NotFound, Some("snapshot"));
    Ok(())
}

pub(in crate::conformance) async fn a_removed_snapshot_is_gone_and_its_sandboxes_stay(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.harness.disk().join("kept")?;
    sandbox.write_all(&file, "kept".into()).await?;
    let snapshot = sandbox.snapshot().await?;
    let source = Source::Snapshot(snapshot.clone());
    let copy = t.create(t.spec().source(source.clone())).await?;
    t.runtime.remove_snapshot(&snapshot).await?;
    assert_eq!(copy.read_to_string(&file).await?, "kept");
    let made = t.create(t.spec().source(source)).await;
    refused(made, ErrorKind::NotFound, Some("source.snapshot"));
    Ok(())
}
