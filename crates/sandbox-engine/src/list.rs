//! Listing sandboxes.

use std::sync::Arc;

use sandbox_core::{Error, Result};

use crate::core::Core;
use crate::engine::Engine;
use crate::record::SandboxRecord;
use crate::request::{Cursor, ListFilter, MAX_PAGE, Page};
use crate::store::DestroyedQuery;

/// How many destroyed sandboxes are read at once while looking for some that match.
const BATCH: usize = 256;

impl Engine {
    /// Sandboxes that `filter` wants, newest first. Living ones are read from memory, and nobody is
    /// asked or woken.
    ///
    /// # Errors
    /// `InvalidSpec` with field `limit` outside 1 to [`MAX_PAGE`]; what the store fails with when
    /// destroyed ones are wanted.
    pub async fn list(&self, filter: &ListFilter) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&filter.limit) {
            let message = format!("is {}; it must be from 1 to {MAX_PAGE}", filter.limit);
            return Err(Error::invalid("engine.list", "limit", message));
        }
        // One more than asked for, to know whether there is a next page.
        let wanted = filter.limit + 1;
        let mut found = living(&self.core, filter, wanted);
        if filter.wants_destroyed() {
            found.extend(destroyed(&self.core, filter, wanted).await?);
            found.sort_unstable_by_key(|record| std::cmp::Reverse(record.seq));
            // One that was destroyed between the two looks.
            found.dedup_by_key(|record| record.seq);
        }
        let more = found.len() > filter.limit;
        found.truncate(filter.limit);
        let last = found.last().map(|record| Cursor(record.seq));
        Ok(Page {
            sandboxes: found,
            next: last.filter(|_| more),
        })
    }
}

fn before(filter: &ListFilter) -> u64 {
    filter.cursor.map_or(u64::MAX, |cursor| cursor.0)
}

fn living(core: &Core, filter: &ListFilter, wanted: usize) -> Vec<Arc<SandboxRecord>> {
    let mut found = Vec::new();
    let owner = filter.owner.as_ref();
    core.registry.newest_first(owner, before(filter), |entry| {
        let view = entry.view.borrow();
        if filter.matches(&view) {
            found.push(Arc::clone(&view));
        }
        found.len() < wanted
    });
    found
}

async fn destroyed(
    core: &Core,
    filter: &ListFilter,
    wanted: usize,
) -> Result<Vec<Arc<SandboxRecord>>> {
    let oldest = core.retention().destroyed_before;
    let mut query = DestroyedQuery {
        owner: filter.owner.clone(),
        before: before(filter),
        limit: BATCH,
    };
    let mut found = Vec::new();
    loop {
        let batch = core.store.list_destroyed(&query).await?;
        let is_last = batch.len() < query.limit;
        for stored in batch {
            query.before = stored.seq;
            let kept = stored.destroyed_at() >= Some(oldest);
            let record = SandboxRecord::from_stored(&stored, true);
            if kept && filter.matches(&record) {
                found.push(Arc::new(record));
            }
        }
        if is_last || found.len() >= wanted {
            return Ok(found);
        }
    }
}
