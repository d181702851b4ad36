//! The one task that writes, many changes to a transaction.

use std::sync::{Arc, Mutex, PoisonError};

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SnapshotId};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::error::failed;
use super::quarantine::Unreadable;
use super::{CommittedEvents, events, write};
use crate::SnapshotRecord;
use crate::events::{Event, NewEvent};
use crate::process::ProcessId;
use crate::store::{Change, Retention, StoredProcess};

/// The most jobs in one transaction.
const BATCH: usize = 256;
/// How many jobs may wait before those who bring more have to.
const QUEUE: usize = 1024;

/// Something to write.
#[derive(Debug)]
pub(super) enum Job {
    Save(Box<Change>),
    Append(Vec<NewEvent>),
    SaveProcess(Box<StoredProcess>),
    RemoveProcess(ProcessId),
    AddSnapshot(Box<SnapshotRecord>),
    RemoveSnapshot(RuntimeName, SnapshotId),
    Purge(Retention),
    SetAside(Vec<Unreadable>),
    DiscardQuarantined(u64),
}

/// A job and who waits for it.
#[derive(Debug)]
struct Order {
    job: Job,
    reply: Option<oneshot::Sender<Result<()>>>,
}

#[derive(Debug)]
pub(super) struct Writer {
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(
        connection: SqliteConnection,
        last_event: u64,
        events: Arc<CommittedEvents>,
    ) -> Self {
        let (sender, orders) = mpsc::channel(QUEUE);
        let state = State {
            connection,
            last_event,
            events,
        };
        Self {
            orders: Mutex::new(Some(sender)),
            task: Mutex::new(Some(tokio::spawn(state.run(orders)))),
        }
    }

    /// Writes `job`; returns when it is committed.
    pub(super) async fn write(&self, job: Job) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.order(job, Some(reply)).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Sends `job` on its way.
    pub(super) async fn send(&self, job: Job) -> Result<()> {
        self.order(job, None).await
    }

    async fn order(&self, job: Job, reply: Option<oneshot::Sender<Result<()>>>) -> Result<()> {
        let orders = self
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(closed)?;
        let order = Order { job, reply };
        orders.send(order).await.map_err(|_| closed())
    }

    /// Takes no more jobs, and returns when those taken are written.
    pub(super) async fn close(&self) {
        let orders = self
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(orders);
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of the store ended early");
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "store.write", "the store is closed")
}

struct State {
    connection: SqliteConnection,
    last_event: u64,
    events: Arc<CommittedEvents>,
}

impl State {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(BATCH);
        while orders.recv_many(&mut batch, BATCH).await > 0 {
            match self.commit(&batch).await {
                Ok(()) => answer(batch.drain(..)),
                // One that cannot be written must not take the others with it.
                Err(_) if batch.len() > 1 => self.commit_one_by_one(&mut batch).await,
                Err(error) => refuse(batch.drain(..), error),
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }

    async fn commit_one_by_one(&mut self, batch: &mut Vec<Order>) {
        for order in batch.drain(..) {
            match self.commit(std::slice::from_ref(&order)).await {
                Ok(()) => answer(std::iter::once(order)),
                Err(error) => refuse(std::iter::once(order), error),
            }
        }
    }

    /// Writes `batch`, all of it or nothing, and shows its events.
    async fn commit(&mut self, batch: &[Order]) -> Result<()> {
        match self.transact(batch).await {
            Ok(numbered) => {
                self.last_event += numbered.len() as u64;
                self.events.publish(numbered);
                Ok(())
            }
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    /// Writes `batch` in a transaction, which is left open when that fails. The events it brings.
    async fn transact(&mut self, batch: &[Order]) -> Result<Vec<Event>> {
        self.execute("BEGIN IMMEDIATE").await?;
        let mut numbered = Vec::new();
        let mut last = self.last_event;
        for order in batch {
            for event in events_of(&order.job) {
                last += 1;
                numbered.push(Event {
                    seq: last,
                    event: event.clone(),
                });
            }
            write::apply(&mut self.connection, &order.job).await?;
        }
        events::write(&mut self.connection, &numbered).await?;
        self.execute("COMMIT").await?;
        Ok(numbered)
    }

    /// Leaves no transaction open. SQLite may have ended it by itself, as it does when the disk is
    /// full. sqlx's own transactions do not notice that, and refuse to begin another one ever after;
    /// this is why there are none here.
    async fn roll_back(&mut self) {
        if let Err(error) = self.execute("ROLLBACK").await {
            tracing::debug!(%error, "there was nothing to roll back");
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<()> {
        let done = sqlx::raw_sql(statement).execute(&mut self.connection);
        done.await.map(|_| ()).map_err(|e| failed("store.write", e))
    }
}

fn events_of(job: &Job) -> &[NewEvent] {
    match job {
        Job::Save(change) => &change.events,
        Job::Append(events) => events,
        Job::SaveProcess(_)
        | Job::RemoveProcess(_)
        | Job::AddSnapshot(_)
        | Job::RemoveSnapshot(..)
        | Job::Purge(_)
        | Job::SetAside(_)
        | Job::DiscardQuarantined(_) => &[],
    }
}

fn answer(orders: impl Iterator<Item = Order>) {
    for reply in orders.filter_map(|order| order.reply) {
        // Whoever asked may have left; it is written all the same.
        let _ = reply.send(Ok(()));
    }
}

fn refuse(orders: impl Iterator<Item = Order>, error: Error) {
    let mut error = Some(error);
    for order in orders {
        let Some(error) = error.take() else { return };
        match order.reply {
            Some(reply) => {
                let _ = reply.send(Err(error));
            }
            None => tracing::error!(%error, "events were not written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use sandbox_core::Timestamp;
    use sqlx::sqlite::SqliteConnectOptions;
    use tokio::sync::watch;

    use super::*;
    use crate::OwnerId;
    use crate::events::EventKind;
    use crate::store::sqlite::{connect, migrations};

    fn events(bytes: usize) -> Job {
        let kind = EventKind::LimitExceeded {
            field: "x".to_owned(),
            message: "x".repeat(bytes),
            pid: None,
        };
        Job::Append(vec![NewEvent {
            at: Timestamp::EPOCH,
            owner: OwnerId::default(),
            sandbox: None,
            kind,
        }])
    }

    /// SQLite ends the transaction by itself when the disk is full.
    #[tokio::test]
    async fn a_write_for_which_the_disk_was_full_stops_no_later_one() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("full.db"))
            .create_if_missing(true);
        let mut connection = connect(&options).await.unwrap();
        migrations::migrate(&mut connection).await.unwrap();
        // No page more than there are.
        let full = sqlx::raw_sql("PRAGMA max_page_count = 1");
        full.execute(&mut connection).await.unwrap();
        let committed = Arc::new(CommittedEvents {
            recent: Mutex::default(),
            last: watch::Sender::new(0),
        });
        let writer = Writer::start(connection, 0, Arc::clone(&committed));
        for _ in 0..3 {
            let error = writer.write(events(1 << 20)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            writer.write(events(1)).await.unwrap();
        }
        assert_eq!(*committed.last.borrow(), 3);
        writer.close().await;
    }
}
