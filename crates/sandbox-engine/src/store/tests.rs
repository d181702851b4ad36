//! Every store keeps what it is given.

use std::sync::Arc;
use std::time::Duration;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Lifecycle, LifecyclePolicy, Request, State};
use sandbox_core::{
    Command, ErrorKind, ExitStatus, SandboxId, SandboxSpec, SnapshotId, Source, Timestamp,
};

use super::{
    Change, DestroyedQuery, EventQuery, MemoryStore, Retention, Store, StoredProcess,
    StoredSandbox, StoredStart,
};
use crate::events::{EventKind, NewEvent};
use crate::owners::Month;
use crate::process::ProcessId;
use crate::{OwnerId, SnapshotRecord};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

fn sandbox(seq: u64, of: &str) -> StoredSandbox {
    let id = SandboxId::new(format!("s{seq}")).unwrap();
    let spec = SandboxSpec::builder(id, Source::Image("x".into()))
        .env("SECRET", "é\u{1f980}")
        .build()
        .unwrap();
    let (lifecycle, _create) = Lifecycle::new(LifecyclePolicy::default(), NOW);
    StoredSandbox {
        seq,
        owner: owner(of),
        runtime: "fake".parse().unwrap(),
        spec: Arc::new(spec),
        egress: EgressRules::deny_all()
            .allow_cidr("203.0.113.0/24")
            .unwrap(),
        egress_applied: false,
        lifecycle,
        accounted_ms: 17,
        start: Some(StoredStart::new(Command::shell("serve"))),
    }
}

fn destroyed(mut sandbox: StoredSandbox, at: Timestamp) -> StoredSandbox {
    let destroy = sandbox.lifecycle.handle(Request::Destroy, at).unwrap();
    let _none = sandbox
        .lifecycle
        .handle(destroy[0].succeeded(), at)
        .unwrap();
    assert_eq!(sandbox.lifecycle.state(), State::Destroyed);
    sandbox
}

fn change(sandbox: StoredSandbox) -> Change {
    Change {
        sandbox,
        usage: Vec::new(),
        events: Vec::new(),
    }
}

fn event(of: &str, kind: EventKind) -> NewEvent {
    NewEvent {
        at: NOW,
        owner: owner(of),
        sandbox: None,
        kind,
    }
}

fn from(seq: u64) -> EventQuery {
    EventQuery {
        owner: None,
        sandbox: None,
        from: seq,
        limit: 100,
    }
}

async fn seqs(store: &dyn Store, query: &EventQuery) -> Vec<u64> {
    let page = store.events(query).await.unwrap();
    page.events.iter().map(|event| event.seq).collect()
}

async fn sandboxes_are_read_back_as_they_were(store: &dyn Store) {
    let first = sandbox(1, "a");
    store.save(change(first.clone())).await.unwrap();
    store.save(change(sandbox(5, "b"))).await.unwrap();
    let mut changed = first;
    changed.egress_applied = true;
    changed.accounted_ms = 99;
    store.save(change(changed.clone())).await.unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.sandboxes, [changed, sandbox(5, "b")]);
    assert_eq!(loaded.last_seq, 5);
}

async fn destroyed_ones_are_kept_apart_and_purged_by_age_and_number(store: &dyn Store) {
    for seq in 10..20 {
        let at = NOW.plus(Duration::from_secs(seq));
        let gone = destroyed(sandbox(seq, "d"), at);
        store.save(change(gone)).await.unwrap();
    }
    let query = DestroyedQuery {
        owner: Some(owner("d")),
        before: 18,
        limit: 3,
    };
    let list = store.list_destroyed(&query).await.unwrap();
    let listed: Vec<_> = list.iter().map(|sandbox| sandbox.seq).collect();
    assert_eq!(listed, [17, 16, 15]);
    let id = SandboxId::new("s12").unwrap();
    assert_eq!(store.destroyed(&id).await.unwrap().unwrap().seq, 12);
    let retention = Retention {
        destroyed_before: NOW.plus(Duration::from_secs(12)),
        max_destroyed: 5,
        max_events: 1_000,
    };
    store.purge(retention).await.unwrap();
    let all = DestroyedQuery {
        before: u64::MAX,
        limit: 100,
        ..query
    };
    let kept = store.list_destroyed(&all).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|sandbox| sandbox.seq).collect();
    assert_eq!(kept, [19, 18, 17, 16, 15]);
    assert_eq!(store.destroyed(&id).await.unwrap(), None);
    assert_eq!(store.load().await.unwrap().last_seq, 19);
}

async fn events_are_numbered_filtered_paged_and_trimmed(store: &dyn Store) {
    let start = *store.committed().borrow() + 1;
    for round in 0..5 {
        let mut change = change(sandbox(100 + round, "e"));
        change.events = vec![
            event("e", EventKind::Running),
            event("e", EventKind::Paused),
        ];
        store.save(change).await.unwrap();
        store
            .append(vec![event("f", EventKind::Resumed)])
            .await
            .unwrap();
    }
    let mut committed = store.committed();
    committed
        .wait_for(|last| *last == start + 14)
        .await
        .unwrap();
    let all: Vec<u64> = (start..start + 15).collect();
    assert_eq!(seqs(store, &from(start)).await, all);
    let mut query = from(start);
    query.owner = Some(owner("f"));
    query.limit = 2;
    let page = store.events(&query).await.unwrap();
    let found: Vec<_> = page.events.iter().map(|event| event.seq).collect();
    assert_eq!(found, [start + 2, start + 5]);
    query.from = page.next;
    assert_eq!(seqs(store, &query).await, [start + 8, start + 11]);
    let retention = Retention {
        destroyed_before: Timestamp::EPOCH,
        max_destroyed: 1_000,
        max_events: 4,
    };
    store.purge(retention).await.unwrap();
    store
        .append(vec![event("f", EventKind::Resumed)])
        .await
        .unwrap();
    committed
        .wait_for(|last| *last == start + 15)
        .await
        .unwrap();
}

/// Events of an owner who makes few and of one who makes many, and a purge that keeps 20.
async fn make_noise(store: &dyn Store) {
    let mut events = vec![event("quiet", EventKind::Running)];
    events.extend((0..50).map(|_| event("noisy", EventKind::Paused)));
    events.push(event("quiet", EventKind::Paused));
    store.append(events).await.unwrap();
    store
        .committed()
        .wait_for(|last| *last == 52)
        .await
        .unwrap();
    store.purge(keeping(20)).await.unwrap();
}

fn keeping(max_events: u64) -> Retention {
    Retention {
        destroyed_before: Timestamp::EPOCH,
        max_destroyed: 1_000,
        max_events,
    }
}

fn of(name: &str) -> EventQuery {
    EventQuery {
        owner: Some(owner(name)),
        ..from(1)
    }
}

async fn one_owner_pushed_out_no_event_of_another(store: &dyn Store) {
    let quiet = store.events(&of("quiet")).await.unwrap();
    let seqs: Vec<_> = quiet.events.iter().map(|event| event.seq).collect();
    assert_eq!((seqs, quiet.first_kept), (vec![1, 52], 1));
    let noisy = store.events(&of("noisy")).await.unwrap();
    let seqs: Vec<_> = noisy.events.iter().map(|event| event.seq).collect();
    assert_eq!((seqs, noisy.first_kept), ((34..=51).collect(), 34));
    let all = store.events(&from(1)).await.unwrap();
    assert_eq!((all.events.len(), all.first_kept), (20, 34));
    store.purge(keeping(0)).await.unwrap();
    for query in [of("quiet"), of("noisy"), from(1)] {
        let page = store.events(&query).await.unwrap();
        assert!(page.events.is_empty() && page.first_kept > 51);
    }
}

#[tokio::test]
async fn an_owner_that_makes_many_events_pushes_out_nobody_elses() {
    let store = MemoryStore::new();
    make_noise(&store).await;
    one_owner_pushed_out_no_event_of_another(&store).await;
}

async fn usage_adds_up_by_month_and_survives_the_sandbox(store: &dyn Store) {
    let (month, next) = (Month::of(NOW), Month::of(Month::of(NOW).end()));
    for seq in [200, 201] {
        for millis in [1_100, 100] {
            let mut change = change(sandbox(seq, "u"));
            change.usage = vec![(month, millis), (next, 1)];
            store.save(change).await.unwrap();
        }
    }
    let of = owner("u");
    let rows = store.usage(&of, month).await.unwrap();
    let mut millis: Vec<_> = rows.iter().map(|row| row.millis).collect();
    millis.sort_unstable();
    assert_eq!(millis, [1_200, 1_200]);
    let gone = destroyed(sandbox(200, "u"), NOW);
    store.save(change(gone)).await.unwrap();
    let retention = Retention {
        destroyed_before: Timestamp::MAX,
        max_destroyed: 0,
        max_events: 1_000,
    };
    store.purge(retention).await.unwrap();
    let mut rows = store.usage(&of, month).await.unwrap();
    rows.sort_by_key(|row| row.millis);
    assert_eq!(rows[0].millis, 1_200);
    assert_eq!((rows[1].sandbox.as_ref(), rows[1].millis), (None, 2_000));
    assert!(
        store
            .usage(&owner("nobody"), month)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn processes_live_as_long_as_their_sandbox(store: &dyn Store) {
    store.save(change(sandbox(300, "p"))).await.unwrap();
    let mut process = StoredProcess {
        id: ProcessId::generate().unwrap(),
        sandbox: SandboxId::new("s300").unwrap(),
        pid: 7,
        command: Command::shell("sleep 1"),
        tag: Some("t".into()),
        started_at: NOW,
        takes: 0,
        ended: None,
    };
    store.save_process(&process).await.unwrap();
    process.ended = Some((NOW, ExitStatus::from_code(1)));
    store.save_process(&process).await.unwrap();
    assert_eq!(store.load().await.unwrap().processes, [process.clone()]);
    store.remove_process(&process.id).await.unwrap();
    store.remove_process(&process.id).await.unwrap();
    assert!(store.load().await.unwrap().processes.is_empty());
}

async fn snapshots_are_their_owners_and_never_change_hands(store: &dyn Store) {
    let snapshot = |runtime: &str, id: &str, of: &str| SnapshotRecord {
        id: SnapshotId::new(id).unwrap(),
        owner: owner(of),
        runtime: runtime.parse().unwrap(),
        sandbox: SandboxId::new("s1").unwrap(),
        created_at: NOW,
    };
    let (first, second) = (snapshot("x", "one", "sa"), snapshot("x", "two", "sa"));
    let elsewhere = snapshot("y", "one", "sb");
    for record in [&first, &second, &elsewhere] {
        store.add_snapshot(record).await.unwrap();
    }
    let again = store.add_snapshot(&snapshot("x", "one", "sb")).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
    let (a, b) = (owner("sa"), owner("sb"));
    let all = store.snapshots(&a, None).await.unwrap();
    assert_eq!(all, [second.clone(), first.clone()]);
    let one = store.snapshots(&a, Some(&first.id)).await.unwrap();
    assert_eq!(one, std::slice::from_ref(&first));
    assert_eq!(store.snapshots(&b, Some(&second.id)).await.unwrap(), []);
    for _ in 0..2 {
        store
            .remove_snapshot(&first.runtime, &first.id)
            .await
            .unwrap();
    }
    assert_eq!(store.snapshots(&a, None).await.unwrap(), [second]);
    assert_eq!(store.snapshots(&b, None).await.unwrap(), [elsewhere]);
}

async fn every_promise(store: &dyn Store) {
    sandboxes_are_read_back_as_they_were(store).await;
    destroyed_ones_are_kept_apart_and_purged_by_age_and_number(store).await;
    events_are_numbered_filtered_paged_and_trimmed(store).await;
    usage_adds_up_by_month_and_survives_the_sandbox(store).await;
    processes_live_as_long_as_their_sandbox(store).await;
    snapshots_are_their_owners_and_never_change_hands(store).await;
}

#[tokio::test]
async fn the_store_in_memory_keeps_every_promise() {
    every_promise(&MemoryStore::new()).await;
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::os::unix::fs::PermissionsExt;

    use super::super::{SqliteStore, Synchronous};
    use super::*;

    #[tokio::test]
    async fn the_store_in_a_file_keeps_every_promise() {
        let dir = tempfile::tempdir().unwrap();
        for synchronous in [Synchronous::Process, Synchronous::Power] {
            let path = dir.path().join(format!("{synchronous:?}.db"));
            let store = SqliteStore::open(path, synchronous).await.unwrap();
            every_promise(&store).await;
            store.close().await;
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_when_the_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        let mut written = change(sandbox(1, "a"));
        written.events = vec![event("a", EventKind::Running)];
        store.save(written).await.unwrap();
        let gone = destroyed(sandbox(2, "a"), NOW);
        store.save(change(gone)).await.unwrap();
        store
            .purge(Retention {
                destroyed_before: Timestamp::MAX,
                max_destroyed: 0,
                max_events: 0,
            })
            .await
            .unwrap();
        store.close().await;
        drop(store);
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.sandboxes, [sandbox(1, "a")]);
        assert_eq!(loaded.last_seq, 2, "a number is never given twice");
        assert_eq!(*store.committed().borrow(), 1, "nor that of an event");
        let page = store.events(&from(1)).await.unwrap();
        assert_eq!((page.events.len(), page.first_kept, page.next), (0, 2, 2));
    }

    #[tokio::test]
    async fn an_owner_that_makes_many_events_pushes_out_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let open = || SqliteStore::open(&path, Synchronous::Process);
        let store = open().await.unwrap();
        make_noise(&store).await;
        store.close().await;
        drop(store);
        // Before, they are all in memory.
        one_owner_pushed_out_no_event_of_another(&open().await.unwrap()).await;
    }

    #[tokio::test]
    async fn events_before_the_restart_are_replayed_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        let some = vec![
            event("a", EventKind::Running),
            event("b", EventKind::Paused),
        ];
        store.append(some).await.unwrap();
        store.close().await;
        drop(store);
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        store
            .append(vec![event("a", EventKind::Resumed)])
            .await
            .unwrap();
        let mut committed = store.committed();
        committed.wait_for(|last| *last == 3).await.unwrap();
        assert_eq!(seqs(&store, &from(1)).await, [1, 2, 3]);
        assert_eq!(seqs(&store, &from(3)).await, [3]);
        let mut of_a = from(1);
        of_a.owner = Some(owner("a"));
        of_a.limit = 1;
        let page = store.events(&of_a).await.unwrap();
        assert_eq!((page.events[0].seq, page.next), (1, 2));
    }

    #[tokio::test]
    async fn a_file_is_open_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        let error = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Conflict, Some("data_dir"))
        );
        store.save(change(sandbox(1, "a"))).await.unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
        }
    }

    #[tokio::test]
    async fn a_file_of_a_newer_version_and_one_that_is_no_database_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        sqlx::query("INSERT INTO migrations VALUES ('9999_future')")
            .execute(store.pool())
            .await
            .unwrap();
        store.close().await;
        drop(store);
        let error = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let garbage = dir.path().join("garbage.db");
        std::fs::write(&garbage, vec![7; 8192]).unwrap();
        let error = SqliteStore::open(&garbage, Synchronous::Process)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[tokio::test]
    async fn a_change_that_cannot_be_written_takes_no_other_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        store.save(change(sandbox(1, "a"))).await.unwrap();
        // The same id under another number.
        let mut bad = sandbox(2, "a");
        bad.spec = sandbox(1, "a").spec;
        let saves = [bad, sandbox(3, "a"), sandbox(4, "a")].map(|one| store.save(change(one)));
        let done = futures_util::future::join_all(saves).await;
        let done: Vec<bool> = done.iter().map(Result::is_ok).collect();
        assert_eq!(done, [false, true, true]);
    }

    #[tokio::test]
    async fn a_closed_store_is_unavailable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process)
            .await
            .unwrap();
        store.close().await;
        let error = store.save(change(sandbox(1, "a"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let error = store.load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[cfg(all(unix, feature = "sqlite"))]
#[tokio::test]
async fn the_file_is_its_owners_alone_whoever_made_it() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.db");
    std::fs::write(&path, "").unwrap();
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&path, everybody).unwrap();
    let store = super::SqliteStore::open(&path, super::Synchronous::Process);
    let store = store.await.unwrap();
    store.save(change(sandbox(1, "a"))).await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
    store.close().await;
}
