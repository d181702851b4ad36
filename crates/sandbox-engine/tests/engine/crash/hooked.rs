//! A store that does something else on the way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use sandbox_core::{Result, RuntimeName, SandboxId, SnapshotId, Timestamp};
use sandbox_engine::events::NewEvent;
use sandbox_engine::idempotency::{
    IdempotencyStore, MemoryIdempotency, OwnerTotals, Record, Request,
};
use sandbox_engine::owners::Month;
use sandbox_engine::process::ProcessId;
use sandbox_engine::store::{
    Change, DestroyedQuery, EventPage, EventQuery, Loaded, MemoryStore, Retention, Store,
    StoredProcess, StoredSandbox, UsageRow,
};
use sandbox_engine::{OwnerId, SnapshotRecord};
use sandbox_testkit::When;
use tokio::sync::{Notify, watch};

type BeforeSave = dyn Fn(&Change) -> Result<()> + Send + Sync;

/// What happens on the way to the store.
#[derive(Clone, Default)]
pub(crate) struct Hook {
    before_save: Option<Arc<BeforeSave>>,
    death: Option<Death>,
}

/// The write at which the program dies: from then on it never hears of the store again.
#[derive(Debug, Clone)]
pub(crate) struct Death {
    pub(crate) nth: usize,
    pub(crate) when: When,
    pub(crate) writes: Arc<AtomicUsize>,
    pub(crate) died: Arc<Notify>,
}

impl Hook {
    pub(crate) fn before_save(
        hook: impl Fn(&Change) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            before_save: Some(Arc::new(hook)),
            death: None,
        }
    }

    pub(crate) fn death(death: Death) -> Self {
        Self {
            before_save: None,
            death: Some(death),
        }
    }
}

#[derive(Clone)]
pub(crate) struct HookedStore {
    inner: MemoryStore,
    hook: Hook,
}

impl fmt::Debug for HookedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl HookedStore {
    pub(crate) fn new(inner: MemoryStore, hook: Hook) -> Self {
        Self { inner, hook }
    }

    /// Lets `write` happen, unless the program dies first; it may die right after.
    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.hook.death {
            Some(death) => death.write(write).await,
            None => write.await,
        }
    }
}

impl Death {
    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.writes.fetch_add(1, SeqCst) + 1;
        let dead = number > self.nth || (number == self.nth && self.when == When::Before);
        if !dead {
            let written = write.await;
            if number < self.nth {
                return written;
            }
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

/// Idempotency keys over whose writes the program may die.
#[derive(Debug)]
pub(crate) struct HookedKeys {
    inner: Arc<MemoryIdempotency>,
    death: Option<Death>,
}

impl HookedKeys {
    pub(crate) fn new(inner: &Arc<MemoryIdempotency>, death: Option<Death>) -> Self {
        Self {
            inner: Arc::clone(inner),
            death,
        }
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.death {
            Some(death) => death.write(write).await,
            None => write.await,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl IdempotencyStore for HookedKeys {
    async fn load(&self, request: &Request) -> Result<Option<Record>> {
        self.inner.load(request).await
    }

    async fn save(&self, request: &Request, record: &Record) -> Result<()> {
        self.write(self.inner.save(request, record)).await
    }

    async fn remove(&self, request: &Request) -> Result<()> {
        self.write(self.inner.remove(request)).await
    }

    async fn remove_older(&self, before: Timestamp) -> Result<u64> {
        self.write(self.inner.remove_older(before)).await
    }

    async fn totals(&self, owner: &str) -> Result<OwnerTotals> {
        self.inner.totals(owner).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for HookedStore {
    async fn load(&self) -> Result<Loaded> {
        self.inner.load().await
    }

    async fn discard_quarantined(&self, number: u64) -> Result<()> {
        self.write(self.inner.discard_quarantined(number)).await
    }

    async fn save(&self, change: Change) -> Result<()> {
        if let Some(hook) = &self.hook.before_save {
            hook(&change)?;
        }
        self.write(self.inner.save(change)).await
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<()> {
        self.write(self.inner.append(events)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<EventPage> {
        self.inner.events(query).await
    }

    fn committed(&self) -> watch::Receiver<u64> {
        self.inner.committed()
    }

    async fn destroyed(&self, id: &SandboxId) -> Result<Option<StoredSandbox>> {
        self.inner.destroyed(id).await
    }

    async fn list_destroyed(&self, query: &DestroyedQuery) -> Result<Vec<StoredSandbox>> {
        self.inner.list_destroyed(query).await
    }

    async fn save_process(&self, process: &StoredProcess) -> Result<()> {
        self.write(self.inner.save_process(process)).await
    }

    async fn remove_process(&self, id: &ProcessId) -> Result<()> {
        self.write(self.inner.remove_process(id)).await
    }

    async fn usage(&self, owner: &OwnerId, month: Month) -> Result<Vec<UsageRow>> {
        self.inner.usage(owner, month).await
    }

    async fn add_snapshot(&self, snapshot: &SnapshotRecord) -> Result<()> {
        self.write(self.inner.add_snapshot(snapshot)).await
    }

    async fn snapshots(
        &self,
        owner: &OwnerId,
        id: Option<&SnapshotId>,
    ) -> Result<Vec<SnapshotRecord>> {
        self.inner.snapshots(owner, id).await
    }

    async fn remove_snapshot(&self, runtime: &RuntimeName, id: &SnapshotId) -> Result<()> {
        self.write(self.inner.remove_snapshot(runtime, id)).await
    }

    async fn purge(&self, retention: Retention) -> Result<()> {
        self.inner.purge(retention).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
