//! A row that cannot be read stops nobody and is not lost.

#![cfg(feature = "sqlite")]

use std::path::Path;
use std::sync::Arc;

use sandbox_core::lifecycle::State;
use sandbox_core::{Command, ErrorKind, SandboxId};
use sandbox_engine::process::ProcessOptions;
use sandbox_engine::store::{QuarantinedRow, SqliteStore, Synchronous};
use sandbox_engine::{Engine, ListFilter};
use sandbox_testkit::{FakeDaemon, ManualClock};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::{TestClock, ephemeral, request, secs};

struct Place {
    dir: tempfile::TempDir,
    clock: ManualClock,
    daemon: FakeDaemon,
}

impl Place {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            dir: tempfile::tempdir().unwrap(),
            daemon: FakeDaemon::with_clock(clock.clone()),
            clock,
        }
    }

    async fn start(&self) -> Engine {
        let file = self.dir.path().join("engine.db");
        let store = SqliteStore::open(file, Synchronous::Process).await.unwrap();
        Engine::builder()
            .runtime("fake", Arc::new(self.daemon.connect()))
            .clock(TestClock(self.clock.clone()))
            .store(store)
            .build()
            .await
            .unwrap()
    }

    /// Three sandboxes; what `damage` does to them while no engine runs; the next engine.
    async fn damaged(&self, damage: &'static str) -> Engine {
        let engine = self.start().await;
        for id in ["a", "b", "c"] {
            let mut wanted = request(ephemeral(600));
            wanted.id = Some(SandboxId::new(id).unwrap());
            engine.create(wanted).await.unwrap();
        }
        let sleep = Command::shell("sleep 100000");
        let options = ProcessOptions::default();
        engine
            .start_process(&id("b"), sleep, options)
            .await
            .unwrap();
        leave(engine).await;
        execute(&self.dir.path().join("engine.db"), damage).await;
        self.start().await
    }
}

async fn leave(engine: Engine) {
    engine.shutdown().await;
    // With the engine goes its lock on the file.
    drop(engine);
}

async fn execute(file: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn id(text: &str) -> SandboxId {
    SandboxId::new(text).unwrap()
}

async fn listed(engine: &Engine) -> Vec<String> {
    let page = engine.list(&ListFilter::default()).await.unwrap();
    page.sandboxes
        .iter()
        .map(|one| one.id().to_string())
        .collect()
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_read_is_set_aside_and_left_alone() {
    let place = Place::new();
    let engine = place
        .damaged("UPDATE sandboxes SET lifecycle = '{\"half' WHERE id = 'b'")
        .await;
    assert_eq!(listed(&engine).await, ["c", "a"]);
    let aside = engine.quarantined();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].sandbox, Some(id("b")));
    assert_eq!(aside[0].runtime, Some("fake".parse().unwrap()));
    assert!(aside[0].reason.contains("lifecycle"), "{}", aside[0].reason);
    assert_eq!(place.daemon.sandboxes().len(), 3);
    let mut again = request(ephemeral(600));
    again.id = Some(id("b"));
    let taken = engine.create(again).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    leave(engine).await;

    // It stays so, and is as it was.
    let engine = place.start().await;
    let [row] = &engine.quarantined()[..] else {
        panic!("it is lost");
    };
    assert_eq!(place.daemon.sandboxes().len(), 3);
    engine.discard_quarantined(row.number).await.unwrap();
    let gone = engine.discard_quarantined(row.number).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    for _ in 0..100_000 {
        if place.daemon.sandboxes().len() == 2 {
            break;
        }
        place.clock.advance(secs(1));
        tokio::task::yield_now().await;
    }
    assert!(!place.daemon.sandboxes().contains_key(&id("b")));
    leave(engine).await;
    assert!(place.start().await.quarantined().is_empty());
}

#[tokio::test]
async fn a_row_that_does_not_even_say_what_it_is_protects_whatever_is_unknown() {
    let place = Place::new();
    let engine = place
        .damaged("UPDATE sandboxes SET id = x'ff00', runtime = '' WHERE id = 'b'")
        .await;
    assert_eq!(listed(&engine).await, ["c", "a"]);
    let aside = engine.quarantined();
    assert_eq!((&aside[0].sandbox, &aside[0].runtime), (&None, &None));
    assert_eq!(place.daemon.sandboxes().len(), 3);
}

#[tokio::test]
async fn a_process_that_cannot_be_read_takes_nothing_with_it() {
    let place = Place::new();
    let engine = place.damaged("UPDATE processes SET body = 'x'").await;
    assert_eq!(listed(&engine).await, ["c", "b", "a"]);
    let record = engine.get(&id("b")).await.unwrap();
    assert_eq!(record.state(), State::Running);
    assert_eq!(engine.quarantined()[0].row, QuarantinedRow::Process);
    assert_eq!(place.daemon.sandboxes().len(), 3);
}

#[tokio::test]
async fn a_destroyed_sandbox_that_cannot_be_read_hides_no_other_from_a_list() {
    let place = Place::new();
    let engine = place.start().await;
    for name in ["a", "b", "c"] {
        let mut wanted = request(ephemeral(600));
        wanted.id = Some(id(name));
        engine.create(wanted).await.unwrap();
        engine.destroy(&id(name)).await.unwrap();
    }
    let file = place.dir.path().join("engine.db");
    execute(
        &file,
        "UPDATE sandboxes SET spec = '' WHERE id = 'b'; UPDATE events SET body = '' WHERE seq = 2",
    )
    .await;
    let mut filter = ListFilter {
        states: Some(vec![State::Destroyed]),
        limit: 1,
        ..ListFilter::default()
    };
    let mut found = Vec::new();
    loop {
        let page = engine.list(&filter).await.unwrap();
        found.extend(page.sandboxes.iter().map(|one| one.id().to_string()));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, ["c", "a"]);
}
