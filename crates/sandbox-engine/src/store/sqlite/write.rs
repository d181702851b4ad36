//! What each job does to the tables.

use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::error::failed;
use super::writer::Job;
use super::{events, quarantine, snapshots};
use crate::store::{Change, Retention, StoredProcess, StoredSandbox};

const OPERATION: &str = "store.write";

pub(super) async fn apply(connection: &mut SqliteConnection, job: &Job) -> Result<()> {
    match job {
        Job::Save(change) => save(connection, change).await,
        // Events are written by the batch.
        Job::Append(_) => Ok(()),
        Job::SaveProcess(process) => save_process(connection, process).await,
        Job::RemoveProcess(id) => {
            let delete = sqlx::query("DELETE FROM processes WHERE id = ?").bind(id.as_str());
            run(connection, delete).await.map(|_| ())
        }
        Job::AddSnapshot(record) => snapshots::add(connection, record).await,
        Job::RemoveSnapshot(runtime, id) => snapshots::remove(connection, runtime, id).await,
        Job::Purge(retention) => purge(connection, *retention).await,
        Job::SetAside(rows) => {
            for row in rows {
                quarantine::set_aside(connection, row).await?;
            }
            Ok(())
        }
        Job::DiscardQuarantined(number) => quarantine::discard(connection, *number).await,
    }
}

pub(super) type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Runs one statement; answers how many rows it changed.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    statement: Statement<'_>,
) -> Result<u64> {
    let done = statement.execute(connection).await;
    done.map(|done| done.rows_affected())
        .map_err(|e| failed(OPERATION, e))
}

/// SQLite has no unsigned numbers; what does not fit is as good as never.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| {
        Error::new(ErrorKind::Internal, OPERATION, "cannot be written as JSON").with_source(e)
    })
}

async fn save(connection: &mut SqliteConnection, change: &Change) -> Result<()> {
    let sandbox = &change.sandbox;
    if update(connection, sandbox).await? == 0 {
        insert(connection, sandbox).await?;
    }
    for (month, millis) in &change.usage {
        let add = sqlx::query(
            "INSERT INTO usage (owner, month, sandbox, millis) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET millis = millis + excluded.millis",
        )
        .bind(sandbox.owner.as_str())
        .bind(month.to_string())
        .bind(sandbox.id().as_str())
        .bind(int(*millis));
        run(connection, add).await?;
    }
    Ok(())
}

async fn update(connection: &mut SqliteConnection, sandbox: &StoredSandbox) -> Result<u64> {
    let update = sqlx::query(
        "UPDATE sandboxes SET state = ?, destroyed_at = ?, egress = ?, egress_applied = ?,
         lifecycle = ?, accounted_ms = ?, start = ? WHERE seq = ?",
    )
    .bind(sandbox.lifecycle.state().as_str())
    .bind(sandbox.destroyed_at().map(|at| int(at.as_millis())))
    .bind(to_json(&sandbox.egress)?)
    .bind(sandbox.egress_applied)
    .bind(to_json(&sandbox.lifecycle)?)
    .bind(int(sandbox.accounted_ms))
    .bind(start(sandbox)?)
    .bind(int(sandbox.seq));
    run(connection, update).await
}

async fn insert(connection: &mut SqliteConnection, sandbox: &StoredSandbox) -> Result<u64> {
    let insert = sqlx::query(
        "INSERT INTO sandboxes (seq, id, owner, runtime, state, destroyed_at, spec, egress,
         egress_applied, lifecycle, accounted_ms, start)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(int(sandbox.seq))
    .bind(sandbox.id().as_str())
    .bind(sandbox.owner.as_str())
    .bind(sandbox.runtime.as_str())
    .bind(sandbox.lifecycle.state().as_str())
    .bind(sandbox.destroyed_at().map(|at| int(at.as_millis())))
    .bind(to_json(&*sandbox.spec)?)
    .bind(to_json(&sandbox.egress)?)
    .bind(sandbox.egress_applied)
    .bind(to_json(&sandbox.lifecycle)?)
    .bind(int(sandbox.accounted_ms))
    .bind(start(sandbox)?);
    run(connection, insert).await
}

fn start(sandbox: &StoredSandbox) -> Result<Option<String>> {
    sandbox.start.as_ref().map(to_json).transpose()
}

async fn save_process(connection: &mut SqliteConnection, process: &StoredProcess) -> Result<()> {
    let put = sqlx::query("INSERT OR REPLACE INTO processes (id, sandbox, body) VALUES (?, ?, ?)")
        .bind(process.id.as_str())
        .bind(process.sandbox.as_str())
        .bind(to_json(process)?);
    run(connection, put).await.map(|_| ())
}

async fn purge(connection: &mut SqliteConnection, retention: Retention) -> Result<()> {
    let expired = expired(
        connection,
        retention.destroyed_before,
        retention.max_destroyed,
    )
    .await?;
    for id in &expired {
        forget(connection, id).await?;
    }
    events::trim(connection, retention.max_events).await
}

/// Those to be forgotten: too old, and the oldest of too many.
async fn expired(
    connection: &mut SqliteConnection,
    before: Timestamp,
    max: u64,
) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT id FROM sandboxes WHERE destroyed_at < ?1
         UNION
         SELECT id FROM (SELECT id FROM sandboxes WHERE destroyed_at IS NOT NULL
                         ORDER BY destroyed_at DESC, seq DESC LIMIT -1 OFFSET ?2)",
    )
    .bind(int(before.as_millis()))
    .bind(int(max))
    .fetch_all(connection)
    .await
    .map_err(|e| failed(OPERATION, e))
}

/// Removes a sandbox; what it used is added up, each sandbox rounded up to seconds.
async fn forget(connection: &mut SqliteConnection, id: &str) -> Result<()> {
    let statements = [
        "INSERT INTO usage (owner, month, sandbox, millis)
         SELECT owner, month, '', (millis + 999) / 1000 * 1000 FROM usage WHERE sandbox = ?
         ON CONFLICT DO UPDATE SET millis = millis + excluded.millis",
        "DELETE FROM usage WHERE sandbox = ?",
        "DELETE FROM processes WHERE sandbox = ?",
        "DELETE FROM sandboxes WHERE id = ?",
    ];
    for statement in statements {
        run(connection, sqlx::query(statement).bind(id)).await?;
    }
    Ok(())
}
