//! What every part of an engine shares.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use sandbox_core::{Error, ErrorKind, Result, RuntimeName};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::events::NewEvent;
use crate::meter::Meter;
use crate::provision::Provisioner;
use crate::quarantine::Quarantine;
use crate::registry::Registry;
use crate::slot::Slot;
use crate::snapshots::OnTheirWay;
use crate::store::{Retention, Store};
use crate::templates::Templates;

/// After how many writes what is too old is thrown away.
const WRITES_A_PURGE: u64 = 1024;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: EngineConfig,
    pub(crate) registry: Registry,
    pub(crate) slots: BTreeMap<RuntimeName, Arc<Slot>>,
    pub(crate) default_runtime: Option<RuntimeName>,
    pub(crate) templates: Templates,
    pub(crate) provisioner: Arc<dyn Provisioner>,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) snapshots: OnTheirWay,
    pub(crate) quarantine: Quarantine,
    pub(crate) meter: Meter,
    pub(crate) tasks: TaskTracker,
    /// Start nothing new.
    pub(crate) stop: CancellationToken,
    /// Leave at once.
    pub(crate) kill: CancellationToken,
    pub(crate) next_seq: AtomicU64,
    pub(crate) writes: AtomicU64,
}

impl Core {
    /// Refuses what is new while the engine shuts down.
    pub(crate) fn check_open(&self) -> Result<()> {
        match self.stop.is_cancelled() {
            true => Err(shutting_down()),
            false => Ok(()),
        }
    }

    /// Sends an event on its way that belongs to no step.
    pub(crate) async fn publish(&self, event: NewEvent) {
        if let Err(error) = self.store.append(vec![event]).await {
            tracing::warn!(%error, "an event was not written");
        }
        self.count_write();
    }

    /// Now and then throws away what is too old.
    pub(crate) fn count_write(&self) {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if !writes.is_multiple_of(WRITES_A_PURGE) {
            return;
        }
        let (store, retention) = (Arc::clone(&self.store), self.retention());
        self.tasks.spawn(async move {
            if let Err(error) = store.purge(retention).await {
                tracing::warn!(%error, "what is too old was not removed from the store");
            }
        });
    }

    pub(crate) fn retention(&self) -> Retention {
        let kept = self.config.destroyed_retention.as_millis();
        let now = self.clock.now().as_millis();
        let before = now.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
        Retention {
            destroyed_before: sandbox_core::Timestamp::from_millis(before),
            max_destroyed: self.config.max_destroyed,
            max_events: self.config.max_events,
        }
    }

    /// `work`, or a timeout when it takes longer than `limit`.
    pub(crate) async fn bounded<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let deadline = self.clock.now().plus(limit);
        let work = std::pin::pin!(work);
        match select(work, self.clock.sleep_until(deadline)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => {
                let message = format!("took longer than {} s", limit.as_secs());
                Err(Error::new(ErrorKind::Timeout, operation, message))
            }
        }
    }
}

pub(crate) fn shutting_down() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "engine.use",
        "the engine is shutting down",
    )
}
