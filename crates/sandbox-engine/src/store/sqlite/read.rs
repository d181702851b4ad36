//! Reading rows back.

use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId};
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::error::failed;
use super::write::int;
use crate::OwnerId;
use crate::events::{Event, NewEvent};
use crate::owners::Month;
use crate::store::{
    DestroyedQuery, EventPage, EventQuery, Loaded, StoredProcess, StoredSandbox, UsageRow,
};

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

fn json<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<T> {
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

pub(super) async fn load(pool: &SqlitePool) -> Result<Loaded> {
    let mut connection = pool.acquire().await.map_err(|e| failed(OPERATION, e))?;
    let rows = sqlx::query("SELECT * FROM sandboxes WHERE destroyed_at IS NULL ORDER BY seq")
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    let processes = sqlx::query(
        "SELECT body FROM processes WHERE sandbox IN
         (SELECT id FROM sandboxes WHERE destroyed_at IS NULL)",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    Ok(Loaded {
        sandboxes: rows.iter().map(sandbox).collect::<Result<_>>()?,
        processes: processes
            .iter()
            .map(|row| json::<StoredProcess>(row, "body"))
            .collect::<Result<_>>()?,
        last_seq: last_number(&mut connection, "sandboxes").await?,
    })
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
    let rows = sqlx::query(
        "SELECT * FROM sandboxes WHERE destroyed_at IS NOT NULL AND seq < ?1
         AND (?2 IS NULL OR owner = ?2) ORDER BY seq DESC LIMIT ?3",
    )
    .bind(int(query.before))
    .bind(query.owner.as_ref().map(OwnerId::as_str))
    .bind(int(query.limit as u64))
    .fetch_all(pool)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    rows.iter().map(sandbox).collect()
}

/// Events up to `last`: what came after it is not shown yet.
pub(super) async fn events(pool: &SqlitePool, query: &EventQuery, last: u64) -> Result<EventPage> {
    let mut connection = pool.acquire().await.map_err(|e| failed(OPERATION, e))?;
    let first_kept: Option<i64> = sqlx::query_scalar("SELECT MIN(seq) FROM events")
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    let rows = sqlx::query(
        "SELECT seq, body FROM events WHERE seq BETWEEN ?1 AND ?2
         AND (?3 IS NULL OR owner = ?3) AND (?4 IS NULL OR sandbox = ?4)
         ORDER BY seq LIMIT ?5",
    )
    .bind(int(query.from))
    .bind(int(last))
    .bind(query.owner.as_ref().map(OwnerId::as_str))
    .bind(query.sandbox.as_ref().map(SandboxId::as_str))
    .bind(int(query.limit as u64))
    .fetch_all(&mut *connection)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    let events = rows.iter().map(event).collect::<Result<Vec<_>>>()?;
    let next = match events.last() {
        Some(event) if events.len() == query.limit => event.seq + 1,
        Some(_) | None => query.from.max(last + 1),
    };
    Ok(EventPage {
        events,
        next,
        first_kept: first_kept.map_or(last + 1, unsigned),
    })
}

fn event(row: &SqliteRow) -> Result<Event> {
    Ok(Event {
        seq: unsigned(column(row, "seq")?),
        event: json::<NewEvent>(row, "body")?,
    })
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
