//! Reading the stream of events.

use std::sync::Arc;

use futures_util::Stream;
use sandbox_core::{Result, SandboxId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::OwnerId;
use crate::store::{EventQuery, Store};

/// How many events one look into the store takes.
const BATCH: usize = 256;

/// Which events to read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this owner; without one, of all.
    pub owner: Option<OwnerId>,
    /// About this sandbox; without one, about all.
    pub sandbox: Option<SandboxId>,
    /// From this number on. Without one, only what happens from now on.
    pub from: Option<u64>,
    /// Ends with what is there when the reading begins, in place of waiting for more.
    pub only_past: bool,
}

/// What a [`Subscription`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum EventItem {
    /// An event.
    Event(Event),
    /// Of the events from `from` to `to`, both included, some are no longer kept; they may have
    /// been of no interest. Those that are still kept follow.
    Gap {
        /// The first that may be missing.
        from: u64,
        /// The last that may be missing.
        to: u64,
    },
}

/// A reader of events: first those kept, then those that happen, in order, each once.
///
/// It reads at its own pace from the store and holds nobody up; one that stays behind for longer
/// than events are kept is told by [`EventItem::Gap`].
#[derive(Debug)]
pub struct Subscription {
    store: Arc<dyn Store>,
    committed: watch::Receiver<u64>,
    stop: CancellationToken,
    query: EventQuery,
    /// The last number that is wanted.
    until: u64,
    /// Up to which number it was told that events may be missing.
    told: u64,
    batch: std::vec::IntoIter<Event>,
}

impl Subscription {
    pub(crate) fn new(store: Arc<dyn Store>, stop: CancellationToken, filter: EventFilter) -> Self {
        let mut committed = store.committed();
        let from = filter
            .from
            .unwrap_or_else(|| committed.borrow_and_update().saturating_add(1));
        let until = match filter.only_past {
            true => *committed.borrow_and_update(),
            false => u64::MAX,
        };
        Self {
            store,
            committed,
            stop,
            query: EventQuery {
                owner: filter.owner,
                sandbox: filter.sandbox,
                from: from.max(1),
                limit: BATCH,
            },
            until,
            told: 0,
            batch: Vec::new().into_iter(),
        }
    }

    /// The next item; waits for it. `None` once the engine shuts down; what is written from then on
    /// is read from the next engine, by its number. `None` too at the end of what is past, where no
    /// more is wanted. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the store failed with; the next call tries again.
    pub async fn next(&mut self) -> Option<Result<EventItem>> {
        loop {
            if let Some(event) = self.batch.next() {
                let wanted = event.seq <= self.until;
                return wanted.then_some(Ok(EventItem::Event(event)));
            }
            if self.query.from > self.until {
                return None;
            }
            let last = *self.committed.borrow_and_update();
            if last < self.query.from {
                tokio::select! {
                    changed = self.committed.changed() => changed.ok()?,
                    () = self.stop.cancelled() => return None,
                }
                continue;
            }
            match self.store.events(&self.query).await {
                Err(error) => return Some(Err(error)),
                Ok(page) => {
                    let from = self.query.from.max(self.told + 1);
                    self.query.from = page.next;
                    self.batch = page.events.into_iter();
                    if page.first_kept > from {
                        let to = page.first_kept - 1;
                        self.told = to;
                        return Some(Ok(EventItem::Gap { from, to }));
                    }
                }
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<EventItem>> + Send {
        futures_util::stream::unfold(self, |mut subscription| async move {
            let item = subscription.next().await?;
            Some((item, subscription))
        })
    }
}
