//! Reading rows back.

use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId};
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::error::failed;
use super::quarantine::{Place, Unreadable};
use super::write::int;
use crate::OwnerId;
use crate::owners::Month;
use crate::store::{DestroyedQuery, Loaded, StoredProcess, StoredSandbox, UsageRow};

pub(super) const OPERATION: &str = "store.read";

/// Numbers are never negative: only this crate writes them.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(|e| failed(OPERATION, e))
}

pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<T> {
    let text: &str = column(row, name)?;
    serde_json::from_str(text).map_err(|e| {
        let message = format!("the column {name} holds what this version does not understand");
        Error::new(ErrorKind::Internal, OPERATION, message).with_source(e)
    })
}

fn sandbox(row: &SqliteRow) -> Result<StoredSandbox> {
    Ok(StoredSandbox {
        seq: unsigned(column(row, "seq")?),
        owner: OwnerId::new(column::<String>(row, "owner")?)?,
        runtime: RuntimeName::new(column::<String>(row, "runtime")?)?,
        spec: Arc::new(json(row, "spec")?),
        egress: json(row, "egress")?,
        egress_applied: column(row, "egress_applied")?,
        lifecycle: json(row, "lifecycle")?,
        accounted_ms: unsigned(column(row, "accounted_ms")?),
        start: match column::<Option<&str>>(row, "start")? {
            Some(_) => Some(json(row, "start")?),
            None => None,
        },
    })
}

/// The last number that a table ever gave.
async fn last_number(connection: &mut SqliteConnection, table: &str) -> Result<u64> {
    let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?")
        .bind(table)
        .fetch_optional(connection)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    Ok(unsigned(last.unwrap_or_default()))
}

pub(super) async fn last_event(connection: &mut SqliteConnection) -> Result<u64> {
    last_number(connection, "events").await
}

/// What there is, and what of it cannot be read.
pub(super) async fn load(pool: &SqlitePool) -> Result<(Loaded, Vec<Unreadable>)> {
    let mut connection = pool.acquire().await.map_err(|e| failed(OPERATION, e))?;
    let rows = sqlx::query("SELECT * FROM sandboxes WHERE destroyed_at IS NULL ORDER BY seq")
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    let processes = sqlx::query(
        "SELECT CAST(id AS BLOB) AS raw_id, body FROM processes WHERE sandbox IN
         (SELECT id FROM sandboxes WHERE destroyed_at IS NULL)",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    let mut loaded = Loaded {
        last_seq: last_number(&mut connection, "sandboxes").await?,
        ..Loaded::default()
    };
    let mut unreadable = Vec::new();
    let mut note = |row, error: &Error| {
        let reason = error.report();
        unreadable.push(Unreadable { row, reason });
    };
    for row in &rows {
        match sandbox(row) {
            Ok(sandbox) => loaded.sandboxes.push(sandbox),
            Err(error) => note(
                Place::Sandbox {
                    seq: column(row, "seq")?,
                },
                &error,
            ),
        }
    }
    for row in &processes {
        match json::<StoredProcess>(row, "body") {
            Ok(process) => loaded.processes.push(process),
            Err(error) => note(
                Place::Process {
                    raw_id: column(row, "raw_id")?,
                },
                &error,
            ),
        }
    }
    Ok((loaded, unreadable))
}

pub(super) async fn destroyed(pool: &SqlitePool, id: &SandboxId) -> Result<Option<StoredSandbox>> {
    let row = sqlx::query("SELECT * FROM sandboxes WHERE id = ? AND destroyed_at IS NOT NULL")
        .bind(id.as_str())
        .fetch_optional(pool)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    row.as_ref().map(sandbox).transpose()
}

pub(super) async fn list_destroyed(
    pool: &SqlitePool,
    query: &DestroyedQuery,
) -> Result<Vec<StoredSandbox>> {
    let mut found = Vec::new();
    let mut before = int(query.before);
    loop {
        let wanted = query.limit - found.len();
        let rows = sqlx::query(
            "SELECT * FROM sandboxes WHERE destroyed_at IS NOT NULL AND seq < ?1
             AND (?2 IS NULL OR owner = ?2) ORDER BY seq DESC LIMIT ?3",
        )
        .bind(before)
        .bind(query.owner.as_ref().map(OwnerId::as_str))
        .bind(int(wanted as u64))
        .fetch_all(pool)
        .await
        .map_err(|e| failed(OPERATION, e))?;
        for row in &rows {
            before = column(row, "seq")?;
            found.extend(readable(sandbox(row)));
        }
        // Those that cannot be read leave room for more.
        if rows.len() < wanted || found.len() == query.limit {
            return Ok(found);
        }
    }
}

/// A row of a list; one that cannot be read hides no other.
pub(super) fn readable<T>(row: Result<T>) -> Option<T> {
    row.inspect_err(|error| {
        tracing::error!(error = error.report(), "a row of the store is left out");
    })
    .ok()
}

pub(super) async fn usage(
    pool: &SqlitePool,
    owner: &OwnerId,
    month: Month,
) -> Result<Vec<UsageRow>> {
    let rows = sqlx::query("SELECT sandbox, millis FROM usage WHERE owner = ? AND month = ?")
        .bind(owner.as_str())
        .bind(month.to_string())
        .fetch_all(pool)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    let read = |row: &SqliteRow| {
        let id: String = column(row, "sandbox")?;
        let sandbox = match id.as_str() {
            "" => None,
            _ => Some(SandboxId::new(id)?),
        };
        Ok(UsageRow {
            sandbox,
            millis: unsigned(column(row, "millis")?),
        })
    };
    rows.iter().map(read).collect()
}
