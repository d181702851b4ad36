//! What a failure of the database means: the one place that knows SQLite's and sqlx's errors.
//!
//! | what failed | kind |
//! |---|---|
//! | somebody else holds the file for longer than we wait | `Unavailable` |
//! | the disk is full, cannot be read or written, or the file may only be read | `Unavailable`: the operator mends it, and the same call works again. It is no limit of whoever called |
//! | the pool has no connection in time, or the store is closed | `Unavailable` |
//! | the file is damaged or no database, a row says what this version does not understand, a statement is wrong | `Internal` |

use sandbox_core::{Error, ErrorKind};

/// SQLite's primary result codes that mean something of their own.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const READONLY: u32 = 8;
    pub(super) const IOERR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const NOTADB: u32 = 26;
}

const NOT_UNDERSTOOD: &str = "the database holds what this version does not understand";

/// A failure of the database as our own.
pub(crate) fn failed(operation: &'static str, error: sqlx::Error) -> Error {
    let (kind, message) = meaning(&error);
    Error::new(kind, operation, message).with_source(error)
}

/// A row that does not say what this crate wrote into it.
pub(crate) fn not_understood(
    operation: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(ErrorKind::Internal, operation, NOT_UNDERSTOOD).with_source(source)
}

fn meaning(error: &sqlx::Error) -> (ErrorKind, &'static str) {
    use ErrorKind::{Internal, Unavailable};
    match error {
        sqlx::Error::PoolClosed => (Unavailable, "the store is closed"),
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
            (Unavailable, "the database does not answer")
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => (Internal, NOT_UNDERSTOOD),
        other => match primary_code(other) {
            Some(code::BUSY | code::LOCKED) => (Unavailable, "the database is in use"),
            Some(code::FULL) => (Unavailable, "the disk of the database is full"),
            Some(code::READONLY | code::IOERR | code::CANTOPEN) => {
                (Unavailable, "the database cannot be read or written")
            }
            Some(code::CORRUPT | code::NOTADB) => (Internal, "the database is damaged"),
            Some(_) | None => (Internal, "the database refused"),
        },
    }
}

/// SQLite's own code; sqlx gives the extended one as text.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|extended| extended & 0xff)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions, Connection};

    use super::*;

    async fn connection(file: &std::path::Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO);
        options.connect().await.unwrap()
    }

    async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Error {
        let done = sqlx::raw_sql(sql).execute(connection).await;
        failed("test", done.unwrap_err())
    }

    #[tokio::test]
    async fn each_failure_has_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.db");
        let mut one = connection(&file).await;
        sqlx::raw_sql("CREATE TABLE t (a PRIMARY KEY); BEGIN IMMEDIATE")
            .execute(&mut one)
            .await
            .unwrap();
        let mut other = connection(&file).await;
        let busy = run(&mut other, "BEGIN IMMEDIATE").await;
        assert_eq!(busy.kind(), ErrorKind::Unavailable, "{}", busy.report());
        assert_eq!(busy.message(), "the database is in use");

        let wrong = run(&mut one, "SELECT nothing FROM t").await;
        assert_eq!(wrong.kind(), ErrorKind::Internal);
        sqlx::raw_sql("COMMIT; PRAGMA max_page_count = 1")
            .execute(&mut one)
            .await
            .unwrap();
        let full = run(&mut one, "INSERT INTO t VALUES (zeroblob(1000000))").await;
        assert_eq!(full.kind(), ErrorKind::Unavailable);
        assert_eq!(full.message(), "the disk of the database is full");
        let twice = run(&mut other, "INSERT INTO t VALUES (1), (1)").await;
        assert_eq!(twice.kind(), ErrorKind::Internal);
        one.close().await.unwrap();
        other.close().await.unwrap();

        std::fs::write(&file, [7; 8192]).unwrap();
        let mut damaged = connection(&file).await;
        let damaged = run(&mut damaged, "SELECT * FROM t").await;
        assert_eq!(damaged.kind(), ErrorKind::Internal, "{}", damaged.report());
        assert_eq!(damaged.message(), "the database is damaged");
    }
}
