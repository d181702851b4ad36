//! Events in their table: written, read, and bounded by owner.

use sandbox_core::{Result, SandboxId};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::failed;
use super::read::{OPERATION, column, json, readable, unsigned};
use super::write::{int, run, to_json};
use crate::OwnerId;
use crate::events::{Event, NewEvent};
use crate::store::share::fair_share;
use crate::store::{EventPage, EventQuery};

pub(super) async fn write(connection: &mut SqliteConnection, events: &[Event]) -> Result<()> {
    for event in events {
        let insert =
            sqlx::query("INSERT INTO events (seq, owner, sandbox, body) VALUES (?, ?, ?, ?)")
                .bind(int(event.seq))
                .bind(event.event.owner.as_str())
                .bind(event.event.sandbox.as_ref().map(|id| id.as_str()))
                .bind(to_json(&event.event)?);
        run(connection, insert).await?;
    }
    Ok(())
}

/// An owner with few events must not make the server look through everybody's, however often he asks.
const OF_OWNER: &str = "SELECT seq, body FROM events INDEXED BY events_owner
    WHERE owner = ?3 AND seq BETWEEN ?1 AND ?2 AND (?4 IS NULL OR sandbox = ?4)
    ORDER BY seq LIMIT ?5";
const OF_ALL: &str = "SELECT seq, body FROM events
    WHERE seq BETWEEN ?1 AND ?2 AND (?4 IS NULL OR sandbox = ?4)
    ORDER BY seq LIMIT ?5";

/// Events up to `last`: what came after it is not shown yet.
pub(super) async fn read(pool: &SqlitePool, query: &EventQuery, last: u64) -> Result<EventPage> {
    let mut connection = pool.acquire().await.map_err(|e| failed(OPERATION, e))?;
    let statement = match query.owner {
        Some(_) => OF_OWNER,
        None => OF_ALL,
    };
    let rows = sqlx::query(statement)
        .bind(int(query.from))
        .bind(int(last))
        .bind(query.owner.as_ref().map(OwnerId::as_str))
        .bind(query.sandbox.as_ref().map(SandboxId::as_str))
        .bind(int(query.limit as u64))
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| failed(OPERATION, e))?;
    // After the rows: what is trimmed between the two is then told as missing, though it was read.
    let trimmed: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(upto) FROM event_trims WHERE ?1 IS NULL OR owner IN (?1, '')",
    )
    .bind(query.owner.as_ref().map(OwnerId::as_str))
    .fetch_one(&mut *connection)
    .await
    .map_err(|e| failed(OPERATION, e))?;
    let next = match rows.last() {
        Some(row) if rows.len() == query.limit => unsigned(column(row, "seq")?) + 1,
        Some(_) | None => query.from.max(last + 1),
    };
    let events = rows.iter().filter_map(|row| readable(event(row))).collect();
    Ok(EventPage {
        events,
        next,
        first_kept: unsigned(trimmed.unwrap_or_default()) + 1,
    })
}

fn event(row: &SqliteRow) -> Result<Event> {
    Ok(Event {
        seq: unsigned(column(row, "seq")?),
        event: json::<NewEvent>(row, "body")?,
    })
}

/// Removes the oldest events of those owners that have more than their share of `max`.
pub(super) async fn trim(connection: &mut SqliteConnection, max: u64) -> Result<()> {
    let counts: Vec<(String, i64)> =
        sqlx::query_as("SELECT owner, COUNT(*) FROM events GROUP BY owner")
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| failed(OPERATION, e))?;
    let all = counts.iter().map(|(_, count)| unsigned(*count)).collect();
    let Some(share) = fair_share(all, max) else {
        return Ok(());
    };
    for (owner, count) in counts {
        let excess = unsigned(count).saturating_sub(share);
        if excess > 0 {
            trim_owner(connection, &owner, excess).await?;
        }
    }
    forget_trims(connection).await
}

/// Removes the `excess` oldest events of an owner, and notes up to where.
async fn trim_owner(connection: &mut SqliteConnection, owner: &str, excess: u64) -> Result<()> {
    let note = sqlx::query(
        "INSERT OR REPLACE INTO event_trims (owner, upto)
         SELECT owner, seq FROM events WHERE owner = ?1 ORDER BY seq LIMIT 1 OFFSET ?2 - 1",
    );
    run(connection, note.bind(owner).bind(int(excess))).await?;
    let delete = sqlx::query(
        "DELETE FROM events WHERE owner = ?1
         AND seq <= (SELECT upto FROM event_trims WHERE owner = ?1)",
    );
    run(connection, delete.bind(owner)).await.map(|_| ())
}

/// Owners of whom nothing is kept share one note, so that there are no more notes than events.
async fn forget_trims(connection: &mut SqliteConnection) -> Result<()> {
    for statement in [
        "INSERT OR REPLACE INTO event_trims (owner, upto)
         SELECT '', MAX(upto) FROM event_trims
          WHERE owner NOT IN (SELECT DISTINCT owner FROM events) HAVING MAX(upto) IS NOT NULL",
        "DELETE FROM event_trims
         WHERE owner <> '' AND owner NOT IN (SELECT DISTINCT owner FROM events)",
    ] {
        run(connection, sqlx::query(statement)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Row};

    use super::*;
    use crate::store::sqlite::migrations::migrate;

    #[tokio::test]
    async fn an_owners_events_are_found_without_those_of_others() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut connection).await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {OF_OWNER}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain))
            .bind(1)
            .bind(i64::MAX)
            .bind("acme")
            .bind(None::<String>)
            .bind(256)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let steps = steps.join("; ");
        assert!(
            steps.contains("events_owner (owner=? AND"),
            "not by owner and number: {steps}"
        );
        assert!(!steps.contains("TEMP B-TREE"), "sorted: {steps}");
    }
}
