//! Watching directories.

use std::time::Duration;

use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, ErrorKind, FileChange, FileEvent, Result, SandboxPath, WatchOptions, WriteOptions,
    byte_stream,
};

use crate::harness::{Agent, TempDir, plain};

type Events = BoxStream<Result<FileEvent>>;

/// Takes events until `change` of `path` is among them; gives back all.
async fn until(events: &mut Events, change: FileChange, path: &SandboxPath) -> Vec<FileEvent> {
    let mut seen = Vec::new();
    let wanted = FileEvent {
        change,
        path: path.clone(),
    };
    let search = async {
        while let Some(event) = events.next().await {
            seen.push(event.unwrap());
            if seen.last() == Some(&wanted) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(Duration::from_secs(10), search).await;
    assert_eq!(found, Ok(true), "{wanted:?} is not in {seen:?}");
    seen
}

#[tokio::test]
async fn every_kind_of_change_is_told() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let mut events = client
        .watch(&dir.at(""), WatchOptions::default())
        .await
        .unwrap();
    let real = |name: &str| dir.path().join(name);
    std::fs::write(real("f"), "x").unwrap();
    until(&mut events, FileChange::Create, &dir.at("f")).await;
    until(&mut events, FileChange::Write, &dir.at("f")).await;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(real("f"), mode).unwrap();
    until(&mut events, FileChange::Chmod, &dir.at("f")).await;
    std::fs::rename(real("f"), real("g")).unwrap();
    until(&mut events, FileChange::Rename, &dir.at("f")).await;
    until(&mut events, FileChange::Create, &dir.at("g")).await;
    std::fs::remove_file(real("g")).unwrap();
    until(&mut events, FileChange::Remove, &dir.at("g")).await;
}

#[tokio::test]
async fn a_write_through_the_client_shows_no_temporary_file() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let mut events = client
        .watch(&dir.at(""), WatchOptions::default())
        .await
        .unwrap();
    let path = dir.at("f");
    let write = async || {
        let written = client
            .write(&path, byte_stream("x"), WriteOptions::default())
            .await;
        written.unwrap();
    };
    let event = |change| FileEvent {
        change,
        path: path.clone(),
    };
    write().await;
    let seen = until(&mut events, FileChange::Write, &path).await;
    assert_eq!(seen, [event(FileChange::Create), event(FileChange::Write)]);
    write().await;
    let seen = until(&mut events, FileChange::Write, &path).await;
    assert_eq!(seen, [event(FileChange::Write)]);
}

#[tokio::test]
async fn directories_made_and_moved_later_are_watched_too() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir_all(dir.path().join("old/deep")).unwrap();
    let options = WatchOptions { recursive: true };
    let mut events = client.watch(&dir.at(""), options).await.unwrap();
    std::fs::write(dir.path().join("old/deep/f"), "").unwrap();
    until(&mut events, FileChange::Create, &dir.at("old/deep/f")).await;
    // What is made in it at once is told, whether its watch was there in time or not.
    std::fs::create_dir_all(dir.path().join("new/a/b")).unwrap();
    std::fs::write(dir.path().join("new/a/b/f"), "").unwrap();
    until(&mut events, FileChange::Create, &dir.at("new/a/b/f")).await;
    std::fs::rename(dir.path().join("new/a"), dir.path().join("moved")).unwrap();
    until(&mut events, FileChange::Create, &dir.at("moved")).await;
    std::fs::write(dir.path().join("moved/b/later"), "").unwrap();
    until(&mut events, FileChange::Create, &dir.at("moved/b/later")).await;
}

#[tokio::test]
async fn only_the_directory_itself_is_watched_unless_asked() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    let mut events = client
        .watch(&dir.at(""), WatchOptions::default())
        .await
        .unwrap();
    std::fs::write(dir.path().join("sub/f"), "").unwrap();
    std::fs::write(dir.path().join("mark"), "").unwrap();
    let seen = until(&mut events, FileChange::Create, &dir.at("mark")).await;
    assert!(
        seen.iter()
            .all(|event| !event.path.as_str().contains("/sub/")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn events_that_come_too_fast_are_an_overflow() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let mut events = client
        .watch(&dir.at(""), WatchOptions::default())
        .await
        .unwrap();
    // The kernel's queue is 16,384 long, and the reader does not read.
    for i in 0..40_000 {
        let path = dir.path().join(format!("f{i}"));
        std::fs::write(&path, "").unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    until(&mut events, FileChange::Overflow, &dir.at("")).await;
    std::fs::write(dir.path().join("after"), "").unwrap();
    until(&mut events, FileChange::Create, &dir.at("after")).await;
}

#[tokio::test]
async fn a_watch_ends_with_its_directory() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir(dir.path().join("d")).unwrap();
    let path = dir.at("d");
    let mut events = client.watch(&path, WatchOptions::default()).await.unwrap();
    std::fs::remove_dir(dir.path().join("d")).unwrap();
    until(&mut events, FileChange::Remove, &path).await;
    assert!(events.next().await.is_none());
    for (name, kind) in [("d", ErrorKind::NotFound), ("f", ErrorKind::Conflict)] {
        std::fs::write(dir.path().join("f"), "").unwrap();
        let result = client.watch(&dir.at(name), WatchOptions::default()).await;
        let error = result.err().unwrap();
        assert_eq!(
            (error.kind(), error.field()),
            (kind, Some("path")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn dropping_the_stream_ends_the_watch() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let inotifies = || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap();
        let targets = fds
            .flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok());
        targets
            .filter(|target| target.to_string_lossy().contains("inotify"))
            .count()
    };
    for _ in 0..300 {
        drop(
            client
                .watch(&dir.at(""), WatchOptions::default())
                .await
                .unwrap(),
        );
    }
    crate::harness::eventually("all are closed", || inotifies() == 0).await;
}

#[tokio::test]
async fn a_tree_that_is_moved_in_is_told_whole() {
    let (dir, outside) = (TempDir::new(), TempDir::new());
    let count = 30_000;
    let tree = outside.path().join("tree");
    for number in 0..count {
        let place = tree.join(format!("{}", number % 7));
        if number < 7 {
            std::fs::create_dir_all(&place).unwrap();
        }
        std::fs::write(place.join(number.to_string()), "").unwrap();
    }
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let options = WatchOptions { recursive: true };
    let mut events = client.watch(&dir.at(""), options).await.unwrap();
    std::fs::rename(&tree, dir.path().join("tree")).unwrap();
    let mut files = std::collections::HashSet::new();
    let all = async {
        while files.len() < count {
            let event = events.next().await.unwrap().unwrap();
            assert_eq!(event.change, FileChange::Create);
            let name = event.path.as_str().rsplit('/').next().unwrap();
            if event.path.as_str().split('/').rev().nth(2) == Some("tree") {
                files.insert(name.to_owned());
            }
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(60), all).await;
    all.expect("every file is told");
    // And what happens in it from now on.
    let mark = dir.path().join("tree/3/mark");
    std::fs::write(&mark, "").unwrap();
    until(&mut events, FileChange::Create, &dir.at("tree/3/mark")).await;
}
