//! The store in a SQLite file.

pub(crate) mod error;
mod events;
pub(crate) mod migrations;
mod quarantine;
mod read;
mod snapshots;
mod write;
mod writer;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId, SnapshotId};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::watch;

use self::error::failed;
use self::writer::{Job, Writer};
use super::memory::page;
use super::{
    Change, DestroyedQuery, EventPage, EventQuery, Loaded, Retention, Store, StoredProcess,
    StoredSandbox, UsageRow,
};
use crate::events::{Event, NewEvent};
use crate::owners::Month;
use crate::process::ProcessId;
use crate::{OwnerId, SnapshotRecord};

/// How many of the last events are kept in memory, so that live readers read no disk.
const CACHED_EVENTS: usize = 4096;
/// Connections for reading.
const READERS: u32 = 4;
/// How long a connection waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a commit survives.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// The death of the process at any instant. When the machine loses power the last
    /// transactions may be missing, and the file is whole: sandboxes that are missing from it are
    /// removed at the next start, and what was removed is found missing.
    #[default]
    Process,
    /// Loss of power as well; every commit waits for the disk.
    Power,
}

/// Keeps everything in one SQLite file, in write-ahead mode.
///
/// One task writes, many changes to a transaction, so that the cost of a commit is shared. One
/// engine at a time may have a file open, and the file is readable by its owner alone: it holds the
/// environment variables of sandboxes.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    writer: Writer,
    events: Arc<CommittedEvents>,
    /// Held while the store lives, so that no second engine opens the file.
    _lock: File,
}

/// What readers of events see: nothing before it is committed.
#[derive(Debug)]
struct CommittedEvents {
    recent: Mutex<VecDeque<Event>>,
    last: watch::Sender<u64>,
}

impl CommittedEvents {
    fn publish(&self, events: Vec<Event>) {
        let Some(last) = events.last().map(|event| event.seq) else {
            return;
        };
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.extend(events);
            let excess = recent.len().saturating_sub(CACHED_EVENTS);
            recent.drain(..excess);
        }
        self.last.send_replace(last);
    }

    /// The page that `query` asks for, where all of it is in memory.
    fn page(&self, query: &EventQuery) -> Option<EventPage> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = recent.back()?.seq;
        // Nothing is missing from what is in memory.
        (recent.front()?.seq <= query.from).then(|| page(&recent, last, 1, query))
    }
}

impl SqliteStore {
    /// Opens the file `path`, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    /// `Conflict` with field `data_dir` when another engine has it open or a newer version wrote
    /// it; `Unavailable` when it cannot be opened; `Internal` when it is damaged or no database.
    pub async fn open(path: impl AsRef<Path>, synchronous: Synchronous) -> Result<Self> {
        let path = path.as_ref();
        let lock = lock(path)?;
        private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match synchronous {
                Synchronous::Process => SqliteSynchronous::Normal,
                Synchronous::Power => SqliteSynchronous::Full,
            })
            .busy_timeout(BUSY_TIMEOUT);
        let mut connection = connect(&options).await?;
        migrations::migrate(&mut connection).await?;
        let last_event = read::last_event(&mut connection).await?;
        let events = Arc::new(CommittedEvents {
            recent: Mutex::default(),
            last: watch::Sender::new(last_event),
        });
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options)
            .await
            .map_err(|e| failed("store.open", e))?;
        Ok(Self {
            pool,
            writer: Writer::start(connection, last_event, Arc::clone(&events)),
            events,
            _lock: lock,
        })
    }

    /// Connections for those who keep tables of their own in the same file.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    options.connect().await.map_err(|e| failed("store.open", e))
}

/// Takes the lock beside the database. The system lets go of it when the process dies.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private_file(&PathBuf::from(name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "another server has {} open: stop it, or choose another directory",
                path.display()
            );
            Err(Error::new(ErrorKind::Conflict, "store.open", message).with_field("data_dir"))
        }
        Err(TryLockError::Error(e)) => Err(unreadable(path, e)),
    }
}

/// Opens `path` for its owner alone, also where somebody made it for more. SQLite gives the files beside it the same permissions.
fn private_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|e| unreadable(path, e))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(|e| unreadable(path, e))?;
    Ok(file)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let message = format!("{} cannot be opened for writing", path.display());
    Error::new(ErrorKind::Unavailable, "store.open", message)
        .with_field("data_dir")
        .with_source(error)
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self) -> Result<Loaded> {
        let (mut loaded, unreadable) = read::load(&self.pool).await?;
        if !unreadable.is_empty() {
            self.writer.write(Job::SetAside(unreadable)).await?;
        }
        loaded.quarantined = quarantine::list(&self.pool).await?;
        Ok(loaded)
    }

    async fn discard_quarantined(&self, number: u64) -> Result<()> {
        self.writer.write(Job::DiscardQuarantined(number)).await
    }

    async fn save(&self, change: Change) -> Result<()> {
        self.writer.write(Job::Save(Box::new(change))).await
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<()> {
        self.writer.send(Job::Append(events)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<EventPage> {
        match self.events.page(query) {
            Some(page) => Ok(page),
            None => {
                let last = *self.events.last.borrow();
                events::read(&self.pool, query, last).await
            }
        }
    }

    fn committed(&self) -> watch::Receiver<u64> {
        self.events.last.subscribe()
    }

    async fn destroyed(&self, id: &SandboxId) -> Result<Option<StoredSandbox>> {
        read::destroyed(&self.pool, id).await
    }

    async fn list_destroyed(&self, query: &DestroyedQuery) -> Result<Vec<StoredSandbox>> {
        read::list_destroyed(&self.pool, query).await
    }

    async fn save_process(&self, process: &StoredProcess) -> Result<()> {
        let job = Job::SaveProcess(Box::new(process.clone()));
        self.writer.write(job).await
    }

    async fn remove_process(&self, id: &ProcessId) -> Result<()> {
        self.writer.write(Job::RemoveProcess(id.clone())).await
    }

    async fn usage(&self, owner: &OwnerId, month: Month) -> Result<Vec<UsageRow>> {
        read::usage(&self.pool, owner, month).await
    }

    async fn add_snapshot(&self, snapshot: &SnapshotRecord) -> Result<()> {
        let job = Job::AddSnapshot(Box::new(snapshot.clone()));
        self.writer.write(job).await
    }

    async fn snapshots(
        &self,
        owner: &OwnerId,
        id: Option<&SnapshotId>,
    ) -> Result<Vec<SnapshotRecord>> {
        snapshots::list(&self.pool, owner, id).await
    }

    async fn remove_snapshot(&self, runtime: &RuntimeName, id: &SnapshotId) -> Result<()> {
        let job = Job::RemoveSnapshot(runtime.clone(), id.clone());
        self.writer.write(job).await
    }

    async fn purge(&self, retention: Retention) -> Result<()> {
        self.writer.write(Job::Purge(retention)).await
    }

    async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }
}
