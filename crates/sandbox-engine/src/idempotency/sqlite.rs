//! Records in SQLite.

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{Error, ErrorKind, Result, SandboxId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::store::SqliteStore;
use crate::store::sqlite::error::failed;

use super::{Answer, BodyHash, IdempotencyStore, OwnerTotals, Record, RecordState, Request};

/// The states as numbers, as the migration describes them.
const STARTED: i64 = 0;
const TAKEN_OVER: i64 = 1;
const FINISHED: i64 = 2;

/// Records kept in the engine's SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteIdempotency {
    pool: SqlitePool,
}

impl SqliteIdempotency {
    /// Records in the file of `store`.
    pub fn new(store: &SqliteStore) -> Self {
        Self::from_pool(store.pool().clone())
    }

    /// Records in the database behind `pool`, whose migrations have run.
    pub(super) fn from_pool(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

fn damaged(what: &str) -> Error {
    let message = format!("the database holds {what} that this version does not understand");
    Error::new(ErrorKind::Internal, "idempotency.load", message)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn read(row: &SqliteRow) -> Result<Record> {
    let failed = |e| failed("idempotency.load", e);
    let body: &[u8] = row.try_get("body").map_err(&failed)?;
    let started_at: i64 = row.try_get("started_at").map_err(&failed)?;
    let state: i64 = row.try_get("state").map_err(&failed)?;
    let sandbox: Option<String> = row.try_get("sandbox").map_err(&failed)?;
    Ok(Record {
        body: BodyHash(body.try_into().map_err(|_| damaged("a hash"))?),
        started_at: Timestamp::from_millis(unsigned(started_at)),
        state: match state {
            STARTED => RecordState::Started,
            TAKEN_OVER => RecordState::TakenOver,
            FINISHED => read_answer(row)?,
            _ => return Err(damaged("a state")),
        },
        sandbox: sandbox
            .map(|id| SandboxId::new(id).map_err(|e| damaged("an id").with_source(e)))
            .transpose()?,
    })
}

fn read_answer(row: &SqliteRow) -> Result<RecordState> {
    let failed = |e| failed("idempotency.load", e);
    let head: &str = row.try_get("head").map_err(&failed)?;
    let body: Option<Vec<u8>> = row.try_get("answer").map_err(&failed)?;
    let head: Answer =
        serde_json::from_str(head).map_err(|e| damaged("an answer").with_source(e))?;
    Ok(match body {
        Some(body) => RecordState::Finished(Answer {
            body: Bytes::from(body),
            ..head
        }),
        None => RecordState::FinishedTooLarge(head.status),
    })
}

/// A state as its columns.
struct Columns<'a> {
    state: i64,
    head: Option<String>,
    answer: Option<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(state: &'a RecordState) -> Result<Self> {
        let without_answer = |state| Self {
            state,
            head: None,
            answer: None,
        };
        let finished = |head: &Answer, answer| {
            let head = serde_json::to_string(head);
            let head = head.map_err(|e| damaged("an answer").with_source(e))?;
            Ok(Self {
                state: FINISHED,
                head: Some(head),
                answer,
            })
        };
        match state {
            RecordState::Started => Ok(without_answer(STARTED)),
            RecordState::TakenOver => Ok(without_answer(TAKEN_OVER)),
            RecordState::Finished(answer) => finished(answer, Some(&answer.body)),
            RecordState::FinishedTooLarge(status) => {
                let bare = Answer {
                    status: *status,
                    headers: Vec::new(),
                    body: Bytes::new(),
                };
                finished(&bare, None)
            }
        }
    }
}

#[async_trait]
impl IdempotencyStore for SqliteIdempotency {
    async fn load(&self, request: &Request) -> Result<Option<Record>> {
        let row = sqlx::query(
            "SELECT * FROM idempotency_records WHERE owner = ? AND route = ? AND key = ?",
        )
        .bind(&request.owner)
        .bind(&request.route)
        .bind(request.key.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(|e| failed("idempotency.load", e))?;
        row.as_ref().map(read).transpose()
    }

    async fn save(&self, request: &Request, record: &Record) -> Result<()> {
        let columns = Columns::of(&record.state)?;
        sqlx::query(
            "INSERT OR REPLACE INTO idempotency_records \
             (owner, route, key, body, started_at, state, head, answer, sandbox) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&request.owner)
        .bind(&request.route)
        .bind(request.key.as_str())
        .bind(record.body.0.as_slice())
        .bind(signed(record.started_at.as_millis()))
        .bind(columns.state)
        .bind(columns.head)
        .bind(columns.answer)
        .bind(record.sandbox.as_ref().map(SandboxId::as_str))
        .execute(&self.pool)
        .await
        .map_err(|e| failed("idempotency.save", e))?;
        Ok(())
    }

    async fn remove(&self, request: &Request) -> Result<()> {
        sqlx::query("DELETE FROM idempotency_records WHERE owner = ? AND route = ? AND key = ?")
            .bind(&request.owner)
            .bind(&request.route)
            .bind(request.key.as_str())
            .execute(&self.pool)
            .await
            .map_err(|e| failed("idempotency.remove", e))?;
        Ok(())
    }

    async fn remove_older(&self, before: Timestamp) -> Result<u64> {
        let done = sqlx::query("DELETE FROM idempotency_records WHERE started_at < ?")
            .bind(signed(before.as_millis()))
            .execute(&self.pool)
            .await
            .map_err(|e| failed("idempotency.remove_older", e))?;
        Ok(done.rows_affected())
    }

    async fn totals(&self, owner: &str) -> Result<OwnerTotals> {
        let (records, bytes): (i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(length(answer)), 0) FROM idempotency_records \
             WHERE owner = ?",
        )
        .bind(owner)
        .fetch_one(&self.pool)
        .await
        .map_err(|e| failed("idempotency.totals", e))?;
        Ok(OwnerTotals {
            records: unsigned(records),
            bytes: unsigned(bytes),
        })
    }
}
