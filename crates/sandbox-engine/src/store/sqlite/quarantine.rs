//! Rows that this version cannot read: moved aside as they are, so that they stop nobody.

use std::time::SystemTime;

use sandbox_core::{Result, RuntimeName, SandboxId, Timestamp};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::error::failed;
use super::read::{OPERATION, column, unsigned};
use super::write::{int, run};
use crate::store::{Quarantined, QuarantinedRow};

/// A row to be moved, and why.
#[derive(Debug, Clone)]
pub(super) struct Unreadable {
    pub(super) row: Place,
    pub(super) reason: String,
}

/// Where a row is, by the one column that can be read whatever happened to the others.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Sandbox { seq: i64 },
    Process { raw_id: Vec<u8> },
}

pub(super) async fn set_aside(
    connection: &mut SqliteConnection,
    unreadable: &Unreadable,
) -> Result<()> {
    let now = Timestamp::from(SystemTime::now());
    match &unreadable.row {
        Place::Sandbox { seq } => {
            let copy = sqlx::query(
                "INSERT INTO quarantine (source, sandbox, runtime, reason, at, row)
                 SELECT 'sandboxes', id, runtime, ?, ?, json_object('seq', seq, 'id', quote(id),
                  'owner', quote(owner), 'runtime', quote(runtime), 'state', quote(state),
                  'destroyed_at', quote(destroyed_at), 'spec', quote(spec),
                  'egress', quote(egress), 'egress_applied', quote(egress_applied),
                  'lifecycle', quote(lifecycle), 'accounted_ms', quote(accounted_ms),
                  'start', quote(start)) FROM sandboxes WHERE seq = ?",
            );
            let copy = copy.bind(&unreadable.reason).bind(int(now.as_millis()));
            run(connection, copy.bind(seq)).await?;
            let delete = sqlx::query("DELETE FROM sandboxes WHERE seq = ?").bind(seq);
            run(connection, delete).await?;
        }
        Place::Process { raw_id } => {
            let copy = sqlx::query(
                "INSERT INTO quarantine (source, sandbox, reason, at, row)
                 SELECT 'processes', sandbox, ?, ?, json_object('id', quote(id),
                  'sandbox', quote(sandbox), 'body', quote(body)) FROM processes
                  WHERE CAST(id AS BLOB) = ?",
            );
            let copy = copy.bind(&unreadable.reason).bind(int(now.as_millis()));
            run(connection, copy.bind(raw_id)).await?;
            let delete = sqlx::query("DELETE FROM processes WHERE CAST(id AS BLOB) = ?");
            run(connection, delete.bind(raw_id)).await?;
        }
    }
    Ok(())
}

pub(super) async fn discard(connection: &mut SqliteConnection, number: u64) -> Result<()> {
    let delete = sqlx::query("DELETE FROM quarantine WHERE number = ?").bind(int(number));
    run(connection, delete).await.map(|_| ())
}

pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<Quarantined>> {
    let rows = sqlx::query(
        "SELECT number, source, sandbox, runtime, reason, at FROM quarantine ORDER BY number",
    )
    .fetch_all(pool)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Quarantined> {
    // What it names may be what could not be read.
    let text = |name: &str| row.try_get::<String, _>(name).ok();
    let source: &str = column(row, "source")?;
    Ok(Quarantined {
        number: unsigned(column(row, "number")?),
        row: match source {
            "processes" => QuarantinedRow::Process,
            _ => QuarantinedRow::Sandbox,
        },
        sandbox: text("sandbox").and_then(|id| SandboxId::new(id).ok()),
        runtime: text("runtime").and_then(|name| RuntimeName::new(name).ok()),
        reason: column(row, "reason")?,
        at: Timestamp::from_millis(unsigned(column(row, "at")?)),
    })
}
