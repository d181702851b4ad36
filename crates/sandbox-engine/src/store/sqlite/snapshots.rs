//! Whose snapshots are.

use sandbox_core::{Result, RuntimeName, SandboxId, SnapshotId, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::failed;
use super::read::{OPERATION, column, readable, unsigned};
use super::write::{int, run};
use crate::store::taken_snapshot;
use crate::{OwnerId, SnapshotRecord};

pub(super) async fn add(connection: &mut SqliteConnection, record: &SnapshotRecord) -> Result<()> {
    let insert = sqlx::query(
        "INSERT INTO snapshots (runtime, id, owner, sandbox, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(record.runtime.as_str())
    .bind(record.id.as_str())
    .bind(record.owner.as_str())
    .bind(record.sandbox.as_str())
    .bind(int(record.created_at.as_millis()));
    match run(connection, insert).await? {
        0 => Err(taken_snapshot(record)),
        _ => Ok(()),
    }
}

pub(super) async fn remove(
    connection: &mut SqliteConnection,
    runtime: &RuntimeName,
    id: &SnapshotId,
) -> Result<()> {
    let delete = sqlx::query("DELETE FROM snapshots WHERE runtime = ? AND id = ?")
        .bind(runtime.as_str())
        .bind(id.as_str());
    run(connection, delete).await.map(|_| ())
}

pub(super) async fn list(
    pool: &SqlitePool,
    owner: &OwnerId,
    id: Option<&SnapshotId>,
) -> Result<Vec<SnapshotRecord>> {
    let rows = sqlx::query(
        "SELECT * FROM snapshots WHERE owner = ?1 AND (?2 IS NULL OR id = ?2) ORDER BY seq DESC",
    )
    .bind(owner.as_str())
    .bind(id.map(SnapshotId::as_str))
    .fetch_all(pool)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    let readable = rows.iter().filter_map(|row| readable(snapshot(row)));
    Ok(readable.collect())
}

fn snapshot(row: &SqliteRow) -> Result<SnapshotRecord> {
    Ok(SnapshotRecord {
        id: SnapshotId::new(column::<String>(row, "id")?)?,
        owner: OwnerId::new(column::<String>(row, "owner")?)?,
        runtime: RuntimeName::new(column::<String>(row, "runtime")?)?,
        sandbox: SandboxId::new(column::<String>(row, "sandbox")?)?,
        created_at: Timestamp::from_millis(unsigned(column(row, "created_at")?)),
    })
}
