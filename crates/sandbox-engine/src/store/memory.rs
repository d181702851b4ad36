//! The store that keeps nothing longer than the process lives.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sandbox_core::{Result, RuntimeName, SandboxId, SnapshotId};
use tokio::sync::watch;

use super::share::fair_share;
use super::{
    Change, DestroyedQuery, EventPage, EventQuery, Loaded, Retention, Store, StoredProcess,
    StoredSandbox, UsageRow, taken_snapshot,
};
use crate::events::{Event, NewEvent};
use crate::owners::Month;
use crate::process::ProcessId;
use crate::{OwnerId, SnapshotRecord};

/// Keeps everything in memory. Clones share it, so that a second engine can take over from the
/// first within one process.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tables: Mutex<Tables>,
    committed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tables {
    sandboxes: HashMap<SandboxId, StoredSandbox>,
    destroyed: BTreeMap<u64, StoredSandbox>,
    destroyed_seq: HashMap<SandboxId, u64>,
    last_seq: u64,
    processes: HashMap<ProcessId, StoredProcess>,
    events: VecDeque<Event>,
    /// The number of the last event, whether kept or not.
    last_event: u64,
    /// Up to which number events of an owner may be gone.
    trimmed: HashMap<OwnerId, u64>,
    /// In the order in which they were written.
    snapshots: Vec<SnapshotRecord>,
    usage: HashMap<(OwnerId, Month), HashMap<Option<SandboxId>, u64>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                tables: Mutex::default(),
                committed: watch::Sender::new(0),
            }),
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing below the lock can panic half-way through a change.
        self.inner
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, last: u64) {
        // Two writers may get here in the other order than they wrote.
        self.inner.committed.send_if_modified(|committed| {
            let newer = last > *committed;
            *committed = last.max(*committed);
            newer
        });
    }
}

impl Tables {
    fn add_events(&mut self, events: Vec<NewEvent>) -> u64 {
        for event in events {
            self.last_event += 1;
            self.events.push_back(Event {
                seq: self.last_event,
                event,
            });
        }
        self.last_event
    }

    /// Up to which number events of `owner`, or of anybody, may be gone.
    fn trimmed(&self, owner: Option<&OwnerId>) -> u64 {
        let upto = match owner {
            Some(owner) => self.trimmed.get(owner).copied(),
            None => self.trimmed.values().max().copied(),
        };
        upto.unwrap_or_default()
    }

    /// Removes the oldest events of those owners that have more than their share of `max`.
    fn trim_events(&mut self, max: u64) {
        let mut counts: HashMap<OwnerId, u64> = HashMap::new();
        for event in &self.events {
            *counts.entry(event.event.owner.clone()).or_default() += 1;
        }
        let Some(share) = fair_share(counts.values().copied().collect(), max) else {
            return;
        };
        let trimmed = &mut self.trimmed;
        self.events.retain(|event| {
            let owner = &event.event.owner;
            let Some(count) = counts.get_mut(owner).filter(|count| **count > share) else {
                return true;
            };
            *count -= 1;
            trimmed.insert(owner.clone(), event.seq);
            false
        });
    }

    fn put(&mut self, sandbox: StoredSandbox) {
        self.last_seq = self.last_seq.max(sandbox.seq);
        if sandbox.destroyed_at().is_some() {
            self.sandboxes.remove(sandbox.id());
            self.destroyed_seq.insert(sandbox.id().clone(), sandbox.seq);
            self.destroyed.insert(sandbox.seq, sandbox);
        } else {
            self.sandboxes.insert(sandbox.id().clone(), sandbox);
        }
    }

    fn add_usage(&mut self, owner: &OwnerId, id: &SandboxId, usage: Vec<(Month, u64)>) {
        for (month, millis) in usage {
            let rows = self.usage.entry((owner.clone(), month)).or_default();
            let row = rows.entry(Some(id.clone())).or_default();
            *row = row.saturating_add(millis);
        }
    }

    fn forget(&mut self, seqs: &[u64]) {
        for seq in seqs {
            let Some(sandbox) = self.destroyed.remove(seq) else {
                continue;
            };
            let id = sandbox.id().clone();
            self.destroyed_seq.remove(&id);
            self.processes.retain(|_, process| process.sandbox != id);
            for rows in self.usage.values_mut() {
                if let Some(millis) = rows.remove(&Some(id.clone())) {
                    *rows.entry(None).or_default() += millis.div_ceil(1000) * 1000;
                }
            }
        }
    }

    /// Those to be forgotten: too old, and the oldest of too many.
    fn expired(&self, retention: Retention) -> Vec<u64> {
        let mut by_age: Vec<_> = self
            .destroyed
            .values()
            .map(|sandbox| (sandbox.destroyed_at(), sandbox.seq))
            .collect();
        by_age.sort_unstable();
        let max = usize::try_from(retention.max_destroyed).unwrap_or(usize::MAX);
        let too_many = by_age.len().saturating_sub(max);
        let old = |(index, (at, _)): &(usize, &(Option<_>, u64))| {
            *index < too_many || *at < Some(retention.destroyed_before)
        };
        let expired = by_age.iter().enumerate().filter(old);
        expired.map(|(_, (_, seq))| *seq).collect()
    }
}

/// Whether `event` is of interest to `query`.
pub(super) fn matches(query: &EventQuery, event: &Event) -> bool {
    query
        .owner
        .as_ref()
        .is_none_or(|owner| *owner == event.event.owner)
        && (query.sandbox.is_none() || query.sandbox == event.event.sandbox)
}

/// The part of `events`, in order and ending with `last`, that `query` asks for. From `first_kept`
/// on they are complete.
pub(super) fn page(
    events: &VecDeque<Event>,
    last: u64,
    first_kept: u64,
    query: &EventQuery,
) -> EventPage {
    let skip = events.partition_point(|event| event.seq < query.from);
    let mut found = EventPage {
        events: Vec::new(),
        next: query.from.max(last + 1),
        first_kept,
    };
    for event in events.iter().skip(skip) {
        if !matches(query, event) {
            continue;
        }
        if found.events.len() == query.limit {
            found.next = event.seq;
            break;
        }
        found.events.push(event.clone());
    }
    found
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self) -> Result<Loaded> {
        let tables = self.tables();
        let mut sandboxes: Vec<_> = tables.sandboxes.values().cloned().collect();
        sandboxes.sort_unstable_by_key(|sandbox| sandbox.seq);
        let lives = |process: &&StoredProcess| tables.sandboxes.contains_key(&process.sandbox);
        Ok(Loaded {
            sandboxes,
            processes: tables.processes.values().filter(lives).cloned().collect(),
            last_seq: tables.last_seq,
            quarantined: Vec::new(),
        })
    }

    /// Nothing is ever set aside here.
    async fn discard_quarantined(&self, _number: u64) -> Result<()> {
        Ok(())
    }

    async fn save(&self, change: Change) -> Result<()> {
        let last = {
            let mut tables = self.tables();
            let Change {
                sandbox,
                usage,
                events,
            } = change;
            tables.add_usage(&sandbox.owner, sandbox.id(), usage);
            tables.put(sandbox);
            tables.add_events(events)
        };
        self.announce(last);
        Ok(())
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<()> {
        let last = self.tables().add_events(events);
        self.announce(last);
        Ok(())
    }

    async fn events(&self, query: &EventQuery) -> Result<EventPage> {
        let tables = self.tables();
        let first_kept = tables.trimmed(query.owner.as_ref()) + 1;
        Ok(page(&tables.events, tables.last_event, first_kept, query))
    }

    fn committed(&self) -> watch::Receiver<u64> {
        self.inner.committed.subscribe()
    }

    async fn destroyed(&self, id: &SandboxId) -> Result<Option<StoredSandbox>> {
        let tables = self.tables();
        let seq = tables.destroyed_seq.get(id);
        Ok(seq.and_then(|seq| tables.destroyed.get(seq)).cloned())
    }

    async fn list_destroyed(&self, query: &DestroyedQuery) -> Result<Vec<StoredSandbox>> {
        let tables = self.tables();
        let older = tables.destroyed.range(..query.before).rev();
        let owned = older.filter(|(_, sandbox)| {
            let owner = query.owner.as_ref();
            owner.is_none_or(|owner| *owner == sandbox.owner)
        });
        let sandboxes = owned.map(|(_, sandbox)| sandbox.clone());
        Ok(sandboxes.take(query.limit).collect())
    }

    async fn save_process(&self, process: &StoredProcess) -> Result<()> {
        let mut tables = self.tables();
        tables.processes.insert(process.id.clone(), process.clone());
        Ok(())
    }

    async fn remove_process(&self, id: &ProcessId) -> Result<()> {
        self.tables().processes.remove(id);
        Ok(())
    }

    async fn usage(&self, owner: &OwnerId, month: Month) -> Result<Vec<UsageRow>> {
        let tables = self.tables();
        let rows = tables.usage.get(&(owner.clone(), month));
        let rows = rows
            .into_iter()
            .flatten()
            .map(|(sandbox, millis)| UsageRow {
                sandbox: sandbox.clone(),
                millis: *millis,
            });
        Ok(rows.collect())
    }

    async fn add_snapshot(&self, snapshot: &SnapshotRecord) -> Result<()> {
        let mut tables = self.tables();
        let same =
            |kept: &SnapshotRecord| kept.runtime == snapshot.runtime && kept.id == snapshot.id;
        if tables.snapshots.iter().any(same) {
            return Err(taken_snapshot(snapshot));
        }
        tables.snapshots.push(snapshot.clone());
        Ok(())
    }

    async fn snapshots(
        &self,
        owner: &OwnerId,
        id: Option<&SnapshotId>,
    ) -> Result<Vec<SnapshotRecord>> {
        let tables = self.tables();
        let newest_first = tables.snapshots.iter().rev();
        let wanted =
            newest_first.filter(|kept| kept.owner == *owner && id.is_none_or(|id| *id == kept.id));
        Ok(wanted.cloned().collect())
    }

    async fn remove_snapshot(&self, runtime: &RuntimeName, id: &SnapshotId) -> Result<()> {
        let mut tables = self.tables();
        let other = |kept: &SnapshotRecord| kept.runtime != *runtime || kept.id != *id;
        tables.snapshots.retain(other);
        Ok(())
    }

    async fn purge(&self, retention: Retention) -> Result<()> {
        let mut tables = self.tables();
        let expired = tables.expired(retention);
        tables.forget(&expired);
        tables.trim_events(retention.max_events);
        Ok(())
    }

    /// Keeps everything: a clone may still be in use.
    async fn close(&self) {}
}
