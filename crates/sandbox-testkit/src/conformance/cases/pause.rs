//! Freezing.

use std::time::Duration;

use sandbox_core::egress::EgressRules;
use sandbox_core::{
    Command, ErrorKind, ListOptions, MakeDirOptions, ReadOptions, Result, SandboxExt,
};

use crate::conformance::trial::{Trial, beat, refused};

/// Long enough for many beats.
const LONG: Duration = Duration::from_secs(4);

pub(in crate::conformance) async fn a_paused_sandbox_stands_still_and_goes_on(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let beats = t.path("beats");
    sandbox.spawn(Command::shell(beat(&beats))).await?;
    t.until_longer(&sandbox, &beats, 4).await?;
    let before = t.size(&sandbox, &beats).await?;
    sandbox.pause().await?;
    tokio::time::sleep(LONG).await;
    sandbox.resume().await?;
    let after = t.size(&sandbox, &beats).await?;
    // 40 beats fit into the pause; a few fall between reading, pausing and resuming.
    let beaten = (after - before) / 2;
    assert!(beaten < 20, "{beaten} beats while it was paused");
    t.until_longer(&sandbox, &beats, after + 10).await
}

pub(in crate::conformance) async fn pausing_and_resuming_twice_changes_nothing(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    sandbox.resume().await?;
    sandbox.pause().await?;
    sandbox.pause().await?;
    refused(
        sandbox.spawn(Command::shell("true")).await,
        ErrorKind::Conflict,
        None,
    );
    sandbox.resume().await?;
    sandbox.resume().await?;
    assert_eq!(t.out(&sandbox, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn a_paused_sandbox_takes_no_work(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    sandbox.write_all(&file, "x".into()).await?;
    sandbox.pause().await?;
    let conflict = ErrorKind::Conflict;
    refused(sandbox.spawn(Command::shell("true")).await, conflict, None);
    refused(
        sandbox.read(&file, ReadOptions::default()).await,
        conflict,
        None,
    );
    refused(sandbox.write_all(&file, "y".into()).await, conflict, None);
    refused(sandbox.stat(&file).await, conflict, None);
    let listed = sandbox
        .list(&t.harness.scratch(), ListOptions::default())
        .await;
    refused(listed, conflict, None);
    let made = sandbox
        .make_dir(&t.path("dir"), MakeDirOptions::default())
        .await;
    refused(made, conflict, None);
    refused(
        sandbox.rename(&file, &t.path("moved")).await,
        conflict,
        None,
    );
    refused(sandbox.remove(&file, false).await, conflict, None);
    if t.can().processes {
        refused(sandbox.processes().await, conflict, None);
    }
    if t.can().connect {
        refused(sandbox.connect(7070).await, conflict, None);
    }
    sandbox.resume().await?;
    assert_eq!(sandbox.read_to_string(&file).await?, "x");
    Ok(())
}

pub(in crate::conformance) async fn a_paused_sandbox_can_be_looked_at_and_destroyed(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("sleep 600")).await?;
    sandbox.pause().await?;
    sandbox.stats().await?;
    if t.can().egress.live_update {
        sandbox.set_egress(&EgressRules::deny_all()).await?;
    }
    t.soon("destroy", sandbox.destroy()).await?;
    let status = t.soon("the command ends", process.wait()).await;
    assert!(status.is_err() || status.is_ok_and(|status| !status.success()));
    refused(sandbox.stats().await, ErrorKind::NotFound, None);
    Ok(())
}

pub(in crate::conformance) async fn time_limits_stand_still_while_paused(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let limit = Duration::from_secs(6);
    let command = Command::shell("sleep 2; echo in time").timeout(limit);
    let process = sandbox.spawn(command).await?;
    let mut events = process.events().expect("the first call gets the stream");
    sandbox.pause().await?;
    tokio::time::sleep(limit + Duration::from_secs(2)).await;
    sandbox.resume().await?;
    super::read_until(t, &mut events, "in time").await?;
    let status = t.soon("the command ends", process.wait()).await?;
    assert!(status.success(), "{status:?}");
    let command = Command::shell("sleep 600").timeout(Duration::from_secs(1));
    let output = t.exec(&sandbox, command).await?;
    assert!(
        output.status.timed_out(),
        "limits count again: {:?}",
        output.status
    );
    Ok(())
}
