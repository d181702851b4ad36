//! The schema, as steps that are applied once each.

use sandbox_core::{Error, ErrorKind, Result};
use sqlx::{Connection, SqliteConnection};

use super::error::failed;

/// A step of the schema: its name, which never changes, and what it does.
type Migration = (&'static str, &'static str);

/// Every step, in order. One that was released is never edited: add another.
const MIGRATIONS: &[Migration] = &[
    ("0001_engine", include_str!("migrations/0001_engine.sql")),
    ("0002_owners", include_str!("migrations/0002_owners.sql")),
    (
        "0003_idempotency",
        include_str!("migrations/0003_idempotency.sql"),
    ),
    (
        "0004_snapshots",
        include_str!("migrations/0004_snapshots.sql"),
    ),
    (
        "0005_reserved_sandboxes",
        include_str!("migrations/0005_reserved_sandboxes.sql"),
    ),
    (
        "0006_start_commands",
        include_str!("migrations/0006_start_commands.sql"),
    ),
    (
        "0007_key_expiry",
        include_str!("migrations/0007_key_expiry.sql"),
    ),
    (
        "0008_quarantine",
        include_str!("migrations/0008_quarantine.sql"),
    ),
    (
        "0009_event_trims",
        include_str!("migrations/0009_event_trims.sql"),
    ),
];

/// Applies what is missing, all of it or nothing.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|e| failed("store.open", e))?;
    sqlx::query("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
        .execute(&mut *transaction)
        .await
        .map_err(|e| failed("store.open", e))?;
    let done: Vec<String> = sqlx::query_scalar("SELECT name FROM migrations ORDER BY name")
        .fetch_all(&mut *transaction)
        .await
        .map_err(|e| failed("store.open", e))?;
    refuse_newer(&done)?;
    for (name, sql) in MIGRATIONS {
        if done.iter().any(|applied| applied == name) {
            continue;
        }
        sqlx::raw_sql(*sql)
            .execute(&mut *transaction)
            .await
            .map_err(|e| failed("store.open", e))?;
        sqlx::query("INSERT INTO migrations (name) VALUES (?)")
            .bind(*name)
            .execute(&mut *transaction)
            .await
            .map_err(|e| failed("store.open", e))?;
    }
    transaction
        .commit()
        .await
        .map_err(|e| failed("store.open", e))
}

/// Whether every step was applied.
///
/// # Errors
/// `Conflict` with field `data_dir` when a newer version wrote it.
pub(crate) async fn is_current(connection: &mut SqliteConnection) -> Result<bool> {
    let failed = |e| failed("store.open", e);
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'";
    let tables: i64 = sqlx::query_scalar(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables == 0 {
        return Ok(false);
    }
    let done: Vec<String> = sqlx::query_scalar("SELECT name FROM migrations")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    refuse_newer(&done)?;
    Ok(done.len() == MIGRATIONS.len())
}

/// A newer version may keep things in a way that this one would destroy.
fn refuse_newer(done: &[String]) -> Result<()> {
    let unknown = done
        .iter()
        .find(|name| !MIGRATIONS.iter().any(|(known, _)| known == name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Conflict,
            "store.open",
            format!("the database was written by a newer version (it has {name})"),
        )
        .with_field("data_dir")),
    }
}
