//! Owners in SQLite.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqlitePool};

use crate::store::SqliteStore;
use crate::store::sqlite::error::{failed, not_understood};
use crate::store::sqlite::migrations;

use super::store::{MAX_KEPT_KEYS, MAX_KEYS, no_organisation, taken, too_many_keys};
use super::{KeyHash, KeyId, KeyRecord, Organisation, OrganisationId, OwnersStore, Revocation};

/// How long a change waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Owners kept in the engine's SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteOwners {
    pool: SqlitePool,
}

impl SqliteOwners {
    /// Owners in the file of `store`.
    pub fn new(store: &SqliteStore) -> Self {
        Self::from_pool(store.pool().clone())
    }

    /// Owners in the database `path`, which a server may have open: what is changed here holds for
    /// its next request.
    ///
    /// # Errors
    /// `NotFound` with field `data_dir` when there is no such file, or no server of this version
    /// has made its tables; `Conflict` with field `data_dir` when a newer version has;
    /// `Unavailable` when it cannot be opened.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let absent = |why: &str| {
            let message = format!("{} {why}: start the server there once", path.display());
            Error::new(ErrorKind::NotFound, "owners.open", message).with_field("data_dir")
        };
        if !path.is_file() {
            return Err(absent("is missing"));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await.map_err(|e| {
            let message = format!("{} cannot be opened", path.display());
            Error::new(ErrorKind::Unavailable, "owners.open", message)
                .with_field("data_dir")
                .with_source(e)
        })?;
        let mut connection = pool.acquire().await.map_err(|e| failed("owners.open", e))?;
        if !migrations::is_current(&mut connection).await? {
            return Err(absent("was not made by this version"));
        }
        drop(connection);
        Ok(Self::from_pool(pool))
    }

    /// Owners in the database behind `pool`, whose migrations have run.
    pub(super) fn from_pool(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

impl SqliteOwners {
    /// Forgets the oldest keys that have ended, of an organisation with too many.
    async fn forget_ended_keys(&self, added: &KeyRecord) -> Result<()> {
        sqlx::query(
            "DELETE FROM owner_keys WHERE id IN (SELECT id FROM owner_keys \
             WHERE organisation_id = ?1 AND (revoked_at IS NOT NULL OR expires_at <= ?2) \
             ORDER BY rowid LIMIT max(0, (SELECT count(*) FROM owner_keys \
             WHERE organisation_id = ?1) - ?3))",
        )
        .bind(added.organisation.as_str())
        .bind(signed(added.created_at.as_millis()))
        .bind(signed(MAX_KEPT_KEYS as u64))
        .execute(&self.pool)
        .await
        .map_err(|e| failed("owners.add_key", e))?;
        Ok(())
    }
}

/// SQLite's integers are signed; times beyond 2^63 stay there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(unsigned(millis))
}

fn read_organisation(row: &SqliteRow, prefix: [&str; 4]) -> Result<Organisation> {
    const OPERATION: &str = "owners.read_organisation";
    let failed = |e| failed(OPERATION, e);
    let [id, name, created_at, quotas] = prefix;
    let quotas: &str = row.try_get(quotas).map_err(&failed)?;
    Ok(Organisation {
        id: OrganisationId::new(row.try_get::<String, _>(id).map_err(&failed)?)?,
        name: row.try_get(name).map_err(&failed)?,
        created_at: time(row.try_get(created_at).map_err(&failed)?),
        quotas: serde_json::from_str(quotas).map_err(|e| not_understood(OPERATION, e))?,
    })
}

const ORGANISATION: [&str; 4] = ["id", "name", "created_at", "quotas"];
const JOINED: [&str; 4] = [
    "organisation_id",
    "name",
    "organisation_created_at",
    "quotas",
];

fn read_key(row: &SqliteRow) -> Result<KeyRecord> {
    const OPERATION: &str = "owners.read_key";
    let failed = |e| failed(OPERATION, e);
    let scopes: &str = row.try_get("scopes").map_err(&failed)?;
    let organisation: String = row.try_get("organisation_id").map_err(&failed)?;
    let last_used_at: Option<i64> = row.try_get("last_used_at").map_err(&failed)?;
    let expires_at: Option<i64> = row.try_get("expires_at").map_err(&failed)?;
    let revoked_at: Option<i64> = row.try_get("revoked_at").map_err(&failed)?;
    Ok(KeyRecord {
        id: KeyId::new(row.try_get::<String, _>("id").map_err(&failed)?)?,
        organisation: OrganisationId::new(organisation)?,
        label: row.try_get("label").map_err(&failed)?,
        hint: row.try_get("hint").map_err(&failed)?,
        scopes: serde_json::from_str(scopes).map_err(|e| not_understood(OPERATION, e))?,
        created_at: time(row.try_get("created_at").map_err(&failed)?),
        last_used_at: last_used_at.map(time),
        expires_at: expires_at.map(time),
        revoked_at: revoked_at.map(time),
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| not_understood("owners.write", e))
}

/// A unique or foreign key that was violated, as what it means.
fn violated(error: sqlx::Error, unique: &'static str) -> Error {
    match error.as_database_error() {
        Some(cause) if cause.is_unique_violation() => taken(unique),
        Some(cause) if cause.is_foreign_key_violation() => no_organisation(),
        Some(_) | None => failed("owners.add", error),
    }
}

#[async_trait]
impl OwnersStore for SqliteOwners {
    async fn add_organisation(&self, organisation: &Organisation) -> Result<()> {
        sqlx::query(
            "INSERT INTO owner_organisations (id, name, created_at, quotas) VALUES (?, ?, ?, ?)",
        )
        .bind(organisation.id.as_str())
        .bind(&organisation.name)
        .bind(signed(organisation.created_at.as_millis()))
        .bind(to_json(&organisation.quotas)?)
        .execute(&self.pool)
        .await
        .map_err(|e| violated(e, "organisation"))?;
        Ok(())
    }

    async fn update_organisation(&self, organisation: &Organisation) -> Result<bool> {
        let done = sqlx::query("UPDATE owner_organisations SET name = ?, quotas = ? WHERE id = ?")
            .bind(&organisation.name)
            .bind(to_json(&organisation.quotas)?)
            .bind(organisation.id.as_str())
            .execute(&self.pool)
            .await
            .map_err(|e| failed("owners.update_organisation", e))?;
        Ok(done.rows_affected() == 1)
    }

    async fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>> {
        let row = sqlx::query("SELECT * FROM owner_organisations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| failed("owners.organisation", e))?;
        row.map(|row| read_organisation(&row, ORGANISATION))
            .transpose()
    }

    async fn organisations(&self) -> Result<Vec<Organisation>> {
        let rows = sqlx::query("SELECT * FROM owner_organisations ORDER BY rowid")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| failed("owners.organisations", e))?;
        rows.iter()
            .map(|row| read_organisation(row, ORGANISATION))
            .collect()
    }

    async fn add_key(&self, key: &KeyRecord, hash: &KeyHash) -> Result<()> {
        // The check is part of the statement, so that it holds without foreign keys enforced.
        let done = sqlx::query(
            "INSERT INTO owner_keys \
             (id, organisation_id, hash, label, hint, scopes, created_at, expires_at) \
             SELECT ?1, id, ?2, ?3, ?4, ?5, ?6, ?7 FROM owner_organisations WHERE id = ?8 AND \
             (SELECT count(*) FROM owner_keys WHERE organisation_id = ?8 AND revoked_at IS NULL \
              AND (expires_at IS NULL OR expires_at > ?6)) < ?9",
        )
        .bind(key.id.as_str())
        .bind(hash.0.as_slice())
        .bind(&key.label)
        .bind(&key.hint)
        .bind(to_json(&key.scopes)?)
        .bind(signed(key.created_at.as_millis()))
        .bind(key.expires_at.map(|at| signed(at.as_millis())))
        .bind(key.organisation.as_str())
        .bind(signed(MAX_KEYS as u64))
        .execute(&self.pool)
        .await
        .map_err(|e| violated(e, "key"))?;
        if done.rows_affected() > 0 {
            return self.forget_ended_keys(key).await;
        }
        if self.organisation(&key.organisation).await?.is_none() {
            return Err(no_organisation());
        }
        match self.find_key(hash).await? {
            Some(_) => Err(taken("key")),
            None => Err(too_many_keys()),
        }
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<(KeyRecord, Organisation)>> {
        const OPERATION: &str = "owners.find_key";
        let row = sqlx::query(
            "SELECT owner_keys.*, owner_organisations.name, owner_organisations.quotas, \
             owner_organisations.created_at AS organisation_created_at \
             FROM owner_keys JOIN owner_organisations ON owner_organisations.id = organisation_id \
             WHERE hash = ?",
        )
        .bind(hash.0.as_slice())
        .fetch_optional(&self.pool)
        .await
        .map_err(|e| failed(OPERATION, e))?;
        let Some(row) = row else { return Ok(None) };
        let stored: &[u8] = row.try_get("hash").map_err(|e| failed(OPERATION, e))?;
        let stored = <[u8; 32]>::try_from(stored).map_err(|e| not_understood(OPERATION, e))?;
        if KeyHash(stored) != *hash {
            return Ok(None);
        }
        Ok(Some((read_key(&row)?, read_organisation(&row, JOINED)?)))
    }

    async fn keys(&self, organisation: &OrganisationId) -> Result<Vec<KeyRecord>> {
        let rows = sqlx::query("SELECT * FROM owner_keys WHERE organisation_id = ? ORDER BY rowid")
            .bind(organisation.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(|e| failed("owners.keys", e))?;
        rows.iter().map(read_key).collect()
    }

    async fn touch_key(&self, id: &KeyId, at: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE owner_keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
        )
        .bind(signed(at.as_millis()))
        .bind(id.as_str())
        .execute(&self.pool)
        .await
        .map_err(|e| failed("owners.touch_key", e))?;
        Ok(())
    }

    async fn revoke_key(
        &self,
        organisation: &OrganisationId,
        id: &KeyId,
        at: Timestamp,
        keep_admin: bool,
    ) -> Result<Revocation> {
        const OPERATION: &str = "owners.revoke_key";
        let done = sqlx::query(REVOKE)
            .bind(id.as_str())
            .bind(organisation.as_str())
            .bind(signed(at.as_millis()))
            .bind(keep_admin)
            .execute(&self.pool)
            .await
            .map_err(|e| failed(OPERATION, e))?;
        if done.rows_affected() == 1 {
            return Ok(Revocation::Done);
        }
        let stays: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM owner_keys WHERE id = ? AND organisation_id = ?")
                .bind(id.as_str())
                .bind(organisation.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(|e| failed(OPERATION, e))?;
        Ok(match stays {
            Some(_) => Revocation::LastAdmin,
            None => Revocation::NoSuchKey,
        })
    }
}

/// Revokes the key ?1 of ?2 at ?3, with ?4 only if another admin key that works is left. One
/// statement, so that two who revoke each other's keys cannot both succeed.
const REVOKE: &str = "
UPDATE owner_keys SET revoked_at = coalesce(revoked_at, ?3)
WHERE id = ?1 AND organisation_id = ?2 AND (
    NOT ?4
    OR revoked_at IS NOT NULL
    OR coalesce(expires_at <= ?3, FALSE)
    OR instr(scopes, '\"admin\"') = 0
    OR EXISTS (
        SELECT 1 FROM owner_keys AS other
        WHERE other.organisation_id = ?2 AND other.id <> ?1
            AND other.revoked_at IS NULL
            AND coalesce(other.expires_at > ?3, TRUE)
            AND instr(other.scopes, '\"admin\"') > 0
    )
)";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::owners::{NewKey, Owners, Quotas};
    use crate::store::Synchronous;

    #[tokio::test]
    async fn a_key_made_beside_a_server_holds_there_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.db");
        let store = SqliteStore::open(&path, Synchronous::Process).await;
        let serving = Owners::new(Arc::new(SqliteOwners::new(&store.unwrap())));
        let now = Timestamp::from_millis(1);
        let made = serving.create_organisation("acme", Quotas::default(), now);
        let id = made.await.unwrap().id;

        let beside = Owners::new(Arc::new(SqliteOwners::open(&path).await.unwrap()));
        let made = beside.create_key(&id, NewKey::default(), now);
        let (key, record) = made.await.unwrap();
        let known = serving.authenticate(key.expose(), now).await.unwrap();
        assert_eq!(known.unwrap().key_id, record.id);
        beside.revoke_key(&id, &record.id, now).await.unwrap();
        let known = serving.authenticate(key.expose(), now).await.unwrap();
        assert_eq!(known, None);
    }

    #[tokio::test]
    async fn a_file_that_no_server_made_is_refused_and_none_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.db");
        let error = SqliteOwners::open(&missing).await.unwrap_err();
        assert_eq!(error.field(), Some("data_dir"), "{error:?}");
        assert!(!missing.exists());
        let empty = directory.path().join("empty.db");
        std::fs::write(&empty, "").unwrap();
        let error = SqliteOwners::open(&empty).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    }
}
