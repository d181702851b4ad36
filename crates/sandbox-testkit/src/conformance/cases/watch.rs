//! Watching directories.

use std::time::Duration;

use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, ErrorKind, FileChange, FileEvent, MakeDirOptions, Result, SandboxExt, SandboxPath,
    WatchOptions,
};

use crate::conformance::trial::{Trial, refused};

type Events = BoxStream<Result<FileEvent>>;

/// Reads events until one is this change of this path.
async fn until(t: &Trial, events: &mut Events, change: FileChange, at: &SandboxPath) -> Result<()> {
    let what = format!("{change:?} of {at}");
    let reading = async {
        while let Some(event) = events.next().await {
            let event = event?;
            if event.change == change && event.path == *at {
                return Ok(());
            }
        }
        panic!("the watch ended before {what}");
    };
    t.soon(&what, reading).await
}

pub(in crate::conformance) async fn changes_are_told(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("watched");
    sandbox.make_dir(&dir, MakeDirOptions::default()).await?;
    let mut events = sandbox.watch(&dir, WatchOptions::default()).await?;
    let (file, moved) = (dir.join("file")?, dir.join("moved")?);
    t.out(&sandbox, &format!("echo 1 > {file}")).await?;
    until(t, &mut events, FileChange::Create, &file).await?;
    t.out(&sandbox, &format!("echo 2 >> {file}")).await?;
    until(t, &mut events, FileChange::Write, &file).await?;
    t.out(&sandbox, &format!("chmod 600 {file}")).await?;
    until(t, &mut events, FileChange::Chmod, &file).await?;
    sandbox.rename(&file, &moved).await?;
    until(t, &mut events, FileChange::Rename, &file).await?;
    until(t, &mut events, FileChange::Create, &moved).await?;
    sandbox.remove(&moved, false).await?;
    until(t, &mut events, FileChange::Remove, &moved).await
}

pub(in crate::conformance) async fn what_is_below_is_told_when_asked_for(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("watched");
    sandbox
        .make_dir(&dir.join("there")?, MakeDirOptions::default())
        .await?;
    let deep = WatchOptions { recursive: true };
    let mut deep = sandbox.watch(&dir, deep).await?;
    let mut shallow = sandbox.watch(&dir, WatchOptions::default()).await?;
    let file = dir.join("there/file")?;
    sandbox.write_all(&file, "x".into()).await?;
    until(t, &mut deep, FileChange::Create, &file).await?;
    let new = dir.join("new")?;
    sandbox.make_dir(&new, MakeDirOptions::default()).await?;
    until(t, &mut deep, FileChange::Create, &new).await?;
    let late = new.join("late")?;
    // Directories made later are watched too, once the watch has caught up with them.
    t.until("a file in a new directory is told", async || {
        sandbox.write_all(&late, "x".into()).await?;
        let next = tokio::time::timeout(Duration::from_millis(500), deep.next());
        let told = match next.await {
            Ok(Some(event)) => event?.path == late,
            Ok(None) => panic!("the watch ended"),
            Err(_) => false,
        };
        sandbox.remove(&late, false).await?;
        Ok(told)
    })
    .await?;
    let end = dir.join("end")?;
    sandbox.write_all(&end, "x".into()).await?;
    let told = async {
        while let Some(event) = shallow.next().await {
            let event = event?;
            assert_eq!(event.path.parent().as_ref(), Some(&dir), "{event:?}");
            if event.path == end {
                return Ok(());
            }
        }
        panic!("the watch ended");
    };
    t.soon("the last change", told).await
}

pub(in crate::conformance) async fn only_a_directory_can_be_watched(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    sandbox.write_all(&file, "x".into()).await?;
    let watched = sandbox.watch(&file, WatchOptions::default()).await;
    refused(watched.map(drop), ErrorKind::Conflict, Some("path"));
    let watched = sandbox
        .watch(&t.path("missing"), WatchOptions::default())
        .await;
    refused(watched.map(drop), ErrorKind::NotFound, Some("path"));
    Ok(())
}
