use std::sync::Arc;

use sandbox_core::{ErrorKind, Resources, SandboxId, Timestamp};
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
async fn stores() -> Vec<Arc<dyn OwnersStore>> {
    vec![
        Arc::new(MemoryOwners::default()),
        #[cfg(feature = "sqlite")]
        Arc::new(SqliteOwners::from_pool(sqlite().await)),
    ]
}

async fn organisation(owners: &Owners, quotas: Quotas) -> OrganisationId {
    let made = owners.create_organisation("acme", quotas, NOW).await;
    made.unwrap().id
}

fn sandbox(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

#[tokio::test]
async fn a_key_is_its_organisations_until_it_is_revoked() {
    for store in stores().await {
        let owners = Owners::new(Arc::clone(&store));
        let org = organisation(&owners, Quotas::default()).await;
        let other = organisation(&owners, Quotas::default()).await;
        let (key, record) = owners
            .create_key(&org, NewKey::default(), NOW)
            .await
            .unwrap();

        let principal = owners
            .authenticate(key.expose(), NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(principal.organisation, org);
        assert_eq!(principal.key_id, record.id);
        assert!(principal.require(Scope::Write).is_ok());
        let refused = principal.require(Scope::Admin).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);

        let foreign = owners
            .revoke_key(&other, &record.id, NOW)
            .await
            .unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::NotFound);
        // Another process on the same store revokes it; this one sees it at once.
        let elsewhere = Owners::new(store);
        elsewhere.revoke_key(&org, &record.id, NOW).await.unwrap();
        elsewhere
            .revoke_key(
                &org,
                &record.id,
                NOW.plus(std::time::Duration::from_secs(9)),
            )
            .await
            .unwrap();
        assert_eq!(owners.authenticate(key.expose(), NOW).await.unwrap(), None);
        let listed = owners.keys(&org).await.unwrap();
        assert_eq!(listed[0].revoked_at, Some(NOW));
        assert_eq!(listed[0].last_used_at, Some(NOW));
        assert!(owners.keys(&other).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_key_ends_when_it_was_told_to() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let later = |seconds| NOW.plus(std::time::Duration::from_secs(seconds));
        let new = NewKey {
            expires_at: Some(later(60)),
            ..NewKey::default()
        };
        let (key, record) = owners.create_key(&org, new.clone(), NOW).await.unwrap();
        assert_eq!(owners.keys(&org).await.unwrap(), [record]);
        let known = owners.authenticate(key.expose(), later(59)).await.unwrap();
        assert_eq!(known.unwrap().expires_at, Some(later(60)));
        let known = owners.authenticate(key.expose(), later(60)).await.unwrap();
        assert_eq!(known, None);

        let refused = owners.create_key(&org, new, later(60)).await.unwrap_err();
        assert_eq!(refused.field(), Some("expires_at"));
    }
}

/// Makes a key and answers its id.
async fn key_of(
    owners: &Owners,
    org: &OrganisationId,
    scope: Scope,
    expires_at: Option<Timestamp>,
) -> KeyId {
    let new = NewKey {
        scopes: Scopes::up_to(scope),
        expires_at,
        ..NewKey::default()
    };
    owners.create_key(org, new, NOW).await.unwrap().1.id
}

#[tokio::test]
async fn of_the_keys_that_may_manage_keys_one_that_works_stays() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let other = organisation(&owners, Quotas::default()).await;
        key_of(&owners, &other, Scope::Admin, None).await;
        let later = NOW.plus(std::time::Duration::from_secs(60));
        let first = key_of(&owners, &org, Scope::Admin, None).await;
        let second = key_of(&owners, &org, Scope::Admin, None).await;
        let writer = key_of(&owners, &org, Scope::Write, None).await;
        let short = key_of(&owners, &org, Scope::Admin, Some(later)).await;
        let revoke = async |id: &KeyId, at| owners.revoke_spare_key(&org, id, at).await;

        revoke(&first, later).await.unwrap();
        let refused = revoke(&second, later).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.field()),
            (ErrorKind::Conflict, Some("key"))
        );
        // One that was revoked, that ended or that may not manage keys can always go.
        for id in [&first, &short, &writer] {
            revoke(id, later).await.unwrap();
        }
        let third = key_of(&owners, &org, Scope::Admin, Some(later)).await;
        revoke(&second, NOW).await.unwrap();
        assert_eq!(
            revoke(&third, NOW).await.unwrap_err().kind(),
            ErrorKind::Conflict
        );
        owners.revoke_key(&org, &third, NOW).await.unwrap();

        let foreign = owners.revoke_spare_key(&other, &second, NOW).await;
        assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn of_two_admin_keys_revoked_at_once_one_stays() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let first = key_of(&owners, &org, Scope::Admin, None).await;
        let second = key_of(&owners, &org, Scope::Admin, None).await;
        let both = futures_util::join!(
            owners.revoke_spare_key(&org, &first, NOW),
            owners.revoke_spare_key(&org, &second, NOW),
        );
        assert_ne!(both.0.is_ok(), both.1.is_ok(), "{both:?}");
    }
}

#[tokio::test]
async fn keys_are_bounded_and_those_that_ended_make_room() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let other = organisation(&owners, Quotas::default()).await;
        let import =
            |number: usize| ApiKey::import(format!("0123456789abcdef{number:04}")).unwrap();
        let scopes = Scopes::up_to(Scope::Write);
        let mut ids = Vec::new();
        for number in 0..MAX_KEYS {
            let key = import(number);
            let made = owners.import_key(&org, &key, "", scopes, NOW).await;
            ids.push(made.unwrap().id);
        }
        let one_more = owners.create_key(&org, NewKey::default(), NOW).await;
        let refused = one_more.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
        assert_eq!(refused.field(), Some("keys"));
        // The same one again is no further one, and others have room of their own.
        let again = owners.import_key(&org, &import(0), "", scopes, NOW).await;
        assert_eq!(again.unwrap().id, ids[0]);
        let theirs = owners.create_key(&other, NewKey::default(), NOW).await;
        theirs.unwrap();

        owners.revoke_key(&org, &ids[0], NOW).await.unwrap();
        for number in MAX_KEYS..MAX_KEPT_KEYS + 5 {
            let key = import(number);
            let made = owners.import_key(&org, &key, "", scopes, NOW).await;
            let made = made.unwrap();
            owners.revoke_key(&org, &made.id, NOW).await.unwrap();
        }
        let kept = owners.keys(&org).await.unwrap();
        assert_eq!(kept.len(), MAX_KEPT_KEYS);
        let working = kept.iter().filter(|key| key.works(NOW)).count();
        assert_eq!(working, MAX_KEYS - 1);
        for (number, id) in ids.iter().enumerate().skip(1) {
            let known = owners.authenticate(import(number).expose(), NOW).await;
            assert_eq!(known.unwrap().unwrap().key_id, *id);
        }
    }
}

#[tokio::test]
async fn what_is_not_a_key_authenticates_nobody() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let (key, record) = owners
            .create_key(&org, NewKey::default(), NOW)
            .await
            .unwrap();
        let key = key.expose();
        let upper = key.to_uppercase();
        let long = key.repeat(100);
        let padded = format!("{key} ");
        for wrong in ["", "sbk_", &key[1..], &upper, &long, &padded, &record.hint] {
            assert_eq!(owners.authenticate(wrong, NOW).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn keys_have_the_promised_shapes_and_never_show_in_debug_output() {
    let owners = Owners::new(Arc::new(MemoryOwners::default()));
    let org = organisation(&owners, Quotas::default()).await;
    for (shape, prefix, digits) in [(KeyShape::Native, "sbk_", 64), (KeyShape::E2b, "e2b_", 40)] {
        let new = NewKey {
            shape,
            ..NewKey::default()
        };
        let (key, record) = owners.create_key(&org, new, NOW).await.unwrap();
        let random = key.expose().strip_prefix(prefix).unwrap();
        assert_eq!(random.len(), digits);
        assert!(
            random
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        let shown = format!("{key:?} {record:?} {owners:?}");
        assert!(!shown.contains(random));
        assert!(
            owners
                .authenticate(key.expose(), NOW)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test]
async fn an_imported_key_can_be_imported_again_but_not_shared_or_revived() {
    for store in stores().await {
        let owners = Owners::new(store);
        let org = organisation(&owners, Quotas::default()).await;
        let other = organisation(&owners, Quotas::default()).await;
        assert!(ApiKey::import("short").is_err());
        assert!(ApiKey::import("contains a space and is long").is_err());
        let key = ApiKey::import("0123456789abcdef0123").unwrap();
        let scopes = Scopes::up_to(Scope::Admin);
        let first = owners
            .import_key(&org, &key, "preset", scopes, NOW)
            .await
            .unwrap();
        let again = owners
            .import_key(&org, &key, "preset", scopes, NOW)
            .await
            .unwrap();
        assert_eq!(first, again);
        let foreign = owners
            .import_key(&other, &key, "x", scopes, NOW)
            .await
            .unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::Conflict);
        owners.revoke_key(&org, &first.id, NOW).await.unwrap();
        let revived = owners
            .import_key(&org, &key, "x", scopes, NOW)
            .await
            .unwrap_err();
        assert_eq!(revived.kind(), ErrorKind::Conflict);
        let nobody = OrganisationId::new("org_none").unwrap();
        let lost = owners
            .create_key(&nobody, NewKey::default(), NOW)
            .await
            .unwrap_err();
        assert_eq!(lost.field(), Some("organisation"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_creates_that_race_for_the_last_slot_exactly_one_wins() {
    for store in stores().await {
        let owners = Arc::new(Owners::new(store));
        let quotas = Quotas {
            concurrent_sandboxes: Some(3),
            ..Quotas::default()
        };
        let org = organisation(&owners, quotas).await;
        let racers: Vec<_> = (0..32)
            .map(|number| {
                let (owners, org) = (Arc::clone(&owners), org.clone());
                tokio::spawn(async move {
                    let resources = Resources::default();
                    let share = owners
                        .reserve(&org, &sandbox(number), &resources, 0, NOW)
                        .await;
                    share.map(Reservation::keep)
                })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(()) => won += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
                    assert_eq!(error.field(), Some("quotas.concurrent_sandboxes"));
                    assert!(error.message().contains("the limit is 3"), "{error}");
                }
            }
        }
        assert_eq!(won, 3);
        assert_eq!(owners.held(&org).sandboxes, 3);
    }
}

#[tokio::test]
async fn a_share_comes_back_when_the_create_fails_and_when_the_sandbox_is_destroyed() {
    let owners = Owners::new(Arc::new(MemoryOwners::default()));
    let quotas = Quotas {
        milli_cpus: Some(1000),
        memory: Some(1 << 30),
        ..Quotas::default()
    };
    let org = organisation(&owners, quotas).await;
    let resources = Resources::default();
    let failed = owners
        .reserve(&org, &sandbox(1), &resources, 0, NOW)
        .await
        .unwrap();
    let refused = owners
        .reserve(&org, &sandbox(2), &resources, 0, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.field(), Some("quotas.milli_cpus"));
    drop(failed);
    owners
        .reserve(&org, &sandbox(2), &resources, 0, NOW)
        .await
        .unwrap()
        .keep();
    let twice = owners
        .reserve(&org, &sandbox(2), &resources, 0, NOW)
        .await
        .unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Conflict);
    assert!(owners.release(&sandbox(2)));
    assert!(!owners.release(&sandbox(2)));
    assert_eq!(owners.held(&org), Held::default());
    let large = Resources {
        memory: 2 << 30,
        ..Resources::default()
    };
    let refused = owners
        .reserve(&org, &sandbox(3), &large, 0, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.field(), Some("quotas.memory"));
}

#[tokio::test]
async fn after_a_restart_living_sandboxes_hold_their_shares_even_over_the_quota() {
    let owners = Owners::new(Arc::new(MemoryOwners::default()));
    let quotas = Quotas {
        concurrent_sandboxes: Some(1),
        ..Quotas::default()
    };
    let org = organisation(&owners, quotas).await;
    for number in [1, 2, 2] {
        owners.restore(&org, &sandbox(number), &Resources::default());
    }
    assert_eq!(owners.held(&org).sandboxes, 2);
    let refused = owners
        .reserve(&org, &sandbox(3), &Resources::default(), 0, NOW)
        .await;
    assert!(refused.is_err());
    owners.release(&sandbox(1));
    owners.release(&sandbox(2));
    assert!(
        owners
            .reserve(&org, &sandbox(3), &Resources::default(), 0, NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_allowance_that_is_used_up_closes_the_month() {
    let owners = Owners::new(Arc::new(MemoryOwners::default()));
    let quotas = Quotas {
        compute_seconds_per_month: Some(100),
        ..Quotas::default()
    };
    let org = organisation(&owners, quotas).await;
    let resources = Resources::default();
    let share = owners.reserve(&org, &sandbox(1), &resources, 99, NOW).await;
    assert!(share.is_ok());
    let refused = owners
        .reserve(&org, &sandbox(2), &resources, 100, NOW)
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    assert_eq!(refused.field(), Some("quotas.compute_seconds_per_month"));
    assert!(refused.message().contains("the limit is 100"), "{refused}");
    let usage = owners.month_usage(&org, 40, NOW).await.unwrap();
    assert_eq!(usage.remaining(), Some(60));
    assert!(!usage.is_exhausted());
    assert_eq!(usage.month.to_string(), "2026-01");
}

#[tokio::test]
async fn quotas_can_be_changed_and_apply_to_the_next_request() {
    for store in stores().await {
        let owners = Owners::new(store);
        let mut org = owners
            .create_organisation("acme", Quotas::default(), NOW)
            .await
            .unwrap();
        let (key, _) = owners
            .create_key(&org.id, NewKey::default(), NOW)
            .await
            .unwrap();
        let before = owners
            .authenticate(key.expose(), NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(owners.check_rate(&before, NOW), None);
        org.quotas.requests_per_minute = Some(1);
        org.name = "other".into();
        owners.update_organisation(&org).await.unwrap();
        assert_eq!(owners.organisations().await.unwrap(), [org.clone()]);
        let after = owners
            .authenticate(key.expose(), NOW)
            .await
            .unwrap()
            .unwrap();
        assert!(owners.check_rate(&after, NOW).unwrap().allowed);
        assert!(!owners.check_rate(&after, NOW).unwrap().allowed);
        org.quotas.requests_per_minute = Some(0);
        let refused = owners.update_organisation(&org).await.unwrap_err();
        assert_eq!(refused.field(), Some("quotas.requests_per_minute"));
        let refused = owners
            .create_organisation("", Quotas::default(), NOW)
            .await
            .unwrap_err();
        assert_eq!(refused.field(), Some("name"));
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn organisations_and_keys_survive_a_restart() {
    use crate::store::{SqliteStore, Store, Synchronous};

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("engine.db");
    let store = SqliteStore::open(&file, Synchronous::Process)
        .await
        .unwrap();
    let owners = Owners::new(Arc::new(SqliteOwners::new(&store)));
    let org = organisation(&owners, Quotas::default()).await;
    let keys = [NewKey::default(), NewKey::default()];
    let [(kept, _), (revoked, record)] = [
        owners.create_key(&org, keys[0].clone(), NOW).await.unwrap(),
        owners.create_key(&org, keys[1].clone(), NOW).await.unwrap(),
    ];
    owners.revoke_key(&org, &record.id, NOW).await.unwrap();
    store.close().await;
    drop(store);

    let store = SqliteStore::open(&file, Synchronous::Process)
        .await
        .unwrap();
    let owners = Owners::new(Arc::new(SqliteOwners::new(&store)));
    let found = owners
        .authenticate(kept.expose(), NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.organisation, org);
    assert_eq!(
        owners.authenticate(revoked.expose(), NOW).await.unwrap(),
        None
    );
    store.close().await;
    // The file, its log and its index: the key is in none of them.
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        let secret = &kept.expose().as_bytes()[8..];
        assert!(!content.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn keys_that_are_made_used_and_revoked_leave_nothing_in_memory() {
    let owners = Owners::new(Arc::new(MemoryOwners::default()));
    let org = organisation(&owners, Quotas::default()).await;
    for number in 0..5_000 {
        let now = Timestamp::from_millis(NOW.as_millis() + number * 60_000);
        let (key, record) = owners
            .create_key(&org, NewKey::default(), now)
            .await
            .unwrap();
        let used = owners.authenticate(key.expose(), now).await.unwrap();
        assert!(used.is_some());
        owners.revoke_key(&org, &record.id, now).await.unwrap();
    }
    assert!(owners.remembered_uses() <= 2_048, "of 5,000");
}
