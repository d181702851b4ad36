use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{ErrorKind, Timestamp};
#[cfg(feature = "sqlite")]
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_767_322_445_678);

#[cfg(feature = "sqlite")]
async fn sqlite() -> SqlitePool {
    // One connection: an in-memory database belongs to its connection.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    crate::store::sqlite::migrations::migrate(&mut connection)
        .await
        .unwrap();
    drop(connection);
    pool
}

/// Every store there is; each test runs on all of them.
async fn stores() -> Vec<Arc<dyn IdempotencyStore>> {
    vec![
        Arc::new(MemoryIdempotency::default()),
        #[cfg(feature = "sqlite")]
        Arc::new(SqliteIdempotency::from_pool(sqlite().await)),
    ]
}

fn keys(store: Arc<dyn IdempotencyStore>) -> Idempotency {
    Idempotency::new(store, IdempotencyLimits::default())
}

fn request(key: &str) -> Request {
    Request {
        owner: "org_a".into(),
        route: "POST /v1/sandboxes".into(),
        key: IdempotencyKey::new(key).unwrap(),
    }
}

fn body(text: &str) -> BodyHash {
    BodyHash::of([text.as_bytes()])
}

fn answer(text: &str) -> Answer {
    Answer {
        status: 201,
        headers: vec![("location".into(), "/v1/sandboxes/x".into())],
        body: Bytes::from(text.to_owned()),
    }
}

fn later(duration: Duration) -> Timestamp {
    NOW.plus(duration)
}

async fn fresh(keys: &Idempotency, key: &str, text: &str, now: Timestamp) -> Guard {
    match keys.begin(request(key), body(text), now).await.unwrap() {
        Begin::Fresh(guard) => guard,
        other => panic!("expected a fresh request, got {other:?}"),
    }
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer_for_24_hours() {
    for store in stores().await {
        let keys = keys(store);
        let guard = fresh(&keys, "k", "a", NOW).await;
        assert_eq!(guard.finish(answer("made")).await.unwrap(), Kept::Whole);
        let last = later(Duration::from_secs(24 * 3600) - Duration::from_millis(1));
        for now in [NOW, last] {
            let again = keys.begin(request("k"), body("a"), now).await.unwrap();
            assert!(matches!(again, Begin::Replay(found) if found == answer("made")));
        }
        let other = keys.begin(request("k"), body("b"), NOW).await.unwrap();
        assert!(matches!(other, Begin::Conflict));
        assert_eq!(other.refusal().unwrap().kind(), ErrorKind::Conflict);
        fresh(&keys, "k", "b", later(Duration::from_secs(24 * 3600)))
            .await
            .abandon()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn keys_of_other_owners_and_routes_are_other_keys() {
    for store in stores().await {
        let keys = keys(store);
        fresh(&keys, "k", "a", NOW)
            .await
            .finish(answer("x"))
            .await
            .unwrap();
        let owner = Request {
            owner: "org_b".into(),
            ..request("k")
        };
        let route = Request {
            route: "POST /v1/other".into(),
            ..request("k")
        };
        for other in [owner, route] {
            let begun = keys.begin(other, body("z"), NOW).await.unwrap();
            assert!(matches!(begun, Begin::Fresh(_)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_duplicates_run_once_and_all_get_the_answer() {
    for store in stores().await {
        let keys = keys(store);
        let ran = Arc::new(AtomicU32::new(0));
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let (keys, ran) = (keys.clone(), Arc::clone(&ran));
                tokio::spawn(async move {
                    match keys
                        .begin_and_wait(request("k"), body("a"), || NOW)
                        .await
                        .unwrap()
                    {
                        Begin::Fresh(guard) => {
                            ran.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            guard.finish(answer("once")).await.unwrap();
                            answer("once")
                        }
                        Begin::Replay(found) => found,
                        other => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), answer("once"));
        }
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn while_one_runs_duplicates_are_told_so_and_other_bodies_conflict() {
    for store in stores().await {
        let keys = keys(store);
        let guard = fresh(&keys, "k", "a", NOW).await;
        let same = keys.begin(request("k"), body("a"), NOW).await.unwrap();
        assert!(matches!(same, Begin::InProgress(_)));
        let other = keys.begin(request("k"), body("b"), NOW).await.unwrap();
        assert!(matches!(other, Begin::Conflict));
        guard.abandon().await.unwrap();
        fresh(&keys, "k", "b", NOW).await.abandon().await.unwrap();
    }
}

#[tokio::test]
async fn after_a_crash_the_outcome_is_unknown_and_can_be_taken_over_exactly_once() {
    for store in stores().await {
        let before = keys(Arc::clone(&store));
        // The process dies: the guard is never dropped, let alone finished.
        std::mem::forget(fresh(&before, "k", "a", NOW).await);

        let after = keys(Arc::clone(&store));
        let Begin::Unknown(first) = after.begin(request("k"), body("a"), NOW).await.unwrap() else {
            panic!("a crash must not go unnoticed");
        };
        assert_eq!(first.started_at(), NOW);
        let racing = after.begin(request("k"), body("a"), NOW).await.unwrap();
        assert!(matches!(racing, Begin::InProgress(_)));
        drop(first);
        let Begin::Unknown(second) = after.begin(request("k"), body("a"), NOW).await.unwrap()
        else {
            panic!("looking does not take over");
        };
        std::mem::forget(second.take_over().await.unwrap());

        let again = keys(Arc::clone(&store));
        let lost = again.begin(request("k"), body("a"), NOW).await.unwrap();
        assert!(matches!(lost, Begin::Lost));
        assert!(lost.refusal().unwrap().message().contains("unknown"));
        let other = again.begin(request("k"), body("b"), NOW).await.unwrap();
        assert!(matches!(other, Begin::Conflict));
    }
}

#[tokio::test]
async fn a_request_that_was_taken_over_finishes_like_any() {
    for store in stores().await {
        let keys = keys(store);
        drop(fresh(&keys, "k", "a", NOW).await);
        let Begin::Unknown(takeover) = keys.begin(request("k"), body("a"), NOW).await.unwrap()
        else {
            panic!("a dropped handler leaves an unknown outcome");
        };
        takeover
            .take_over()
            .await
            .unwrap()
            .finish(answer("late"))
            .await
            .unwrap();
        let again = keys.begin(request("k"), body("a"), NOW).await.unwrap();
        assert!(matches!(again, Begin::Replay(found) if found == answer("late")));
    }
}

#[tokio::test]
async fn answers_over_the_limits_keep_only_their_status() {
    for store in stores().await {
        let limits = IdempotencyLimits {
            max_answer_bytes: 100,
            max_owner_bytes: 150,
            ..IdempotencyLimits::default()
        };
        let keys = Idempotency::new(store, limits);
        let large = fresh(&keys, "large", "a", NOW).await;
        assert_eq!(
            large.finish(answer(&"x".repeat(101))).await.unwrap(),
            Kept::StatusOnly
        );
        let again = keys.begin(request("large"), body("a"), NOW).await.unwrap();
        assert!(matches!(again, Begin::Done(201)));
        for (key, kept) in [
            ("1", Kept::Whole),
            ("2", Kept::Whole),
            ("3", Kept::StatusOnly),
        ] {
            let guard = fresh(&keys, key, "a", NOW).await;
            assert_eq!(
                guard.finish(answer(&"x".repeat(70))).await.unwrap(),
                kept,
                "{key}"
            );
        }
        let next_day = later(Duration::from_secs(25 * 3600));
        assert_eq!(keys.expire(next_day).await.unwrap(), 4);
        let guard = fresh(&keys, "4", "a", next_day).await;
        assert_eq!(
            guard.finish(answer(&"x".repeat(70))).await.unwrap(),
            Kept::Whole
        );
    }
}

#[tokio::test]
async fn a_hostile_owner_cannot_fill_the_store_with_keys() {
    for store in stores().await {
        let limits = IdempotencyLimits {
            max_owner_records: 2,
            ..IdempotencyLimits::default()
        };
        let keys = Idempotency::new(store, limits);
        for key in ["1", "2"] {
            fresh(&keys, key, "a", NOW)
                .await
                .finish(answer("x"))
                .await
                .unwrap();
        }
        let refused = keys.begin(request("3"), body("a"), NOW).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
        assert!(refused.message().contains("the limit is 2"));
        let other = Request {
            owner: "org_b".into(),
            ..request("3")
        };
        assert!(matches!(
            keys.begin(other, body("a"), NOW).await.unwrap(),
            Begin::Fresh(_)
        ));
        fresh(&keys, "1", "a", later(Duration::from_secs(25 * 3600)))
            .await
            .abandon()
            .await
            .unwrap();
        assert!(keys.begin(request("3"), body("a"), NOW).await.is_ok());
    }
}

#[tokio::test]
async fn the_id_of_a_sandbox_is_known_from_the_claim_on_and_in_every_further_one() {
    for store in stores().await {
        let before = keys(Arc::clone(&store));
        let claim = |keys: Idempotency, effect| async move {
            keys.claim(request("k"), body("a"), effect, || NOW).await
        };
        let Claim::Run(guard) = claim(before, Effect::Create).await.unwrap() else {
            panic!("nobody asked before");
        };
        assert!(!guard.is_resumed());
        let id = guard.reserved().unwrap().clone();
        // The process dies.
        std::mem::forget(guard);
        for _ in 0..3 {
            let after = keys(Arc::clone(&store));
            let Claim::Run(guard) = claim(after, Effect::Create).await.unwrap() else {
                panic!("it has no answer");
            };
            assert!(guard.is_resumed());
            assert_eq!(guard.reserved(), Some(&id));
        }
        let once = claim(keys(store), Effect::Once).await.unwrap_err();
        assert!(once.message().contains("may have run"), "{once}");
    }
}

#[tokio::test]
async fn a_claim_of_a_request_that_is_being_carried_out_waits_for_its_answer() {
    for store in stores().await {
        let keys = keys(store);
        let claim = |text: &'static str| keys.claim(request("k"), body(text), Effect::Once, || NOW);
        let Claim::Run(guard) = claim("a").await.unwrap() else {
            panic!("nobody asked before");
        };
        let finish = async {
            tokio::task::yield_now().await;
            guard.finish(answer("made")).await.unwrap();
        };
        let (answered, ()) = tokio::join!(claim("a"), finish);
        assert!(matches!(answered.unwrap(), Claim::Answered(found) if found == answer("made")));
        assert_eq!(claim("b").await.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn answers_that_finish_at_once_share_the_room_there_is() {
    for store in stores().await {
        let limits = IdempotencyLimits {
            max_owner_bytes: 150,
            ..IdempotencyLimits::default()
        };
        let keys = Idempotency::new(store, limits);
        let mut guards = Vec::new();
        for key in 0..8 {
            guards.push(fresh(&keys, &key.to_string(), "a", NOW).await);
        }
        let finishing = guards
            .into_iter()
            .map(|guard| guard.finish(answer(&"x".repeat(70))));
        let kept = futures_util::future::join_all(finishing).await;
        let whole = kept
            .into_iter()
            .filter(|kept| *kept.as_ref().unwrap() == Kept::Whole);
        assert_eq!(whole.count(), 2);
    }
}

#[test]
fn paths_that_are_too_long_to_keep_still_differ() {
    let route = |path: &str| {
        let key = IdempotencyKey::new("k").unwrap();
        Request::http("o", "PUT", path, key).route
    };
    assert_eq!(route("/v1/x"), "PUT /v1/x");
    let long = "/x".repeat(4096);
    assert!(route(&long).len() < 256);
    assert_ne!(route(&long), route(&format!("{long}y")));
}

#[test]
fn keys_are_visible_ascii_of_bounded_length() {
    for bad in ["", " ", "a b", "é", "a\n", "a\0", &"k".repeat(256)] {
        let error = IdempotencyKey::new(bad).unwrap_err();
        assert_eq!(error.field(), Some("idempotency_key"), "{bad:?}");
    }
    assert!(IdempotencyKey::new("k".repeat(255)).is_ok());
}

#[test]
fn where_a_part_of_a_body_ends_counts() {
    let split = |a: &'static str, b: &'static str| BodyHash::of([a.as_bytes(), b.as_bytes()]);
    assert_ne!(split("ab", "c"), split("a", "bc"));
    assert_eq!(split("ab", "c"), split("ab", "c"));
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn answers_and_interruptions_survive_a_restart() {
    use crate::store::{SqliteStore, Store, Synchronous};

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("engine.db");
    let store = SqliteStore::open(&file, Synchronous::Process)
        .await
        .unwrap();
    let before = keys(Arc::new(SqliteIdempotency::new(&store)));
    let done = fresh(&before, "done", "a", NOW).await;
    done.finish(answer("made")).await.unwrap();
    std::mem::forget(fresh(&before, "begun", "a", NOW).await);
    store.close().await;
    drop(store);

    let store = SqliteStore::open(&file, Synchronous::Process)
        .await
        .unwrap();
    let after = keys(Arc::new(SqliteIdempotency::new(&store)));
    let again = after.begin(request("done"), body("a"), NOW).await.unwrap();
    assert!(matches!(again, Begin::Replay(found) if found == answer("made")));
    let begun = after.begin(request("begun"), body("a"), NOW).await.unwrap();
    assert!(matches!(begun, Begin::Unknown(_)));
    store.close().await;
}

#[tokio::test]
async fn keys_that_race_for_the_last_place_do_not_all_get_it() {
    for store in stores().await {
        let limits = IdempotencyLimits {
            max_owner_records: 2,
            ..IdempotencyLimits::default()
        };
        let keys = Idempotency::new(store, limits);
        let begin = |key: u8| keys.begin(request(&key.to_string()), body("a"), NOW);
        let begun = futures_util::future::join_all((0..10).map(begin)).await;
        let (fresh, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
        assert_eq!((fresh.len(), refused.len()), (2, 8));
    }
}
