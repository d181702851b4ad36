//! What organisations may use, without asking the store for every sandbox.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use sandbox_core::{Result, Timestamp};
use tokio::sync::watch;

use super::store::{OwnersStore, no_organisation};
use super::{OrganisationId, Quotas};
use crate::lock::Locked;

/// How long quotas are believed that another process may have changed meanwhile. This process's
/// own changes count at once.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);
/// How many organisations are remembered before all are forgotten.
const MAX_REMEMBERED: usize = 10_000;

#[derive(Debug)]
pub(super) struct QuotaCache {
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    quotas: HashMap<OrganisationId, (Quotas, Timestamp)>,
    /// Counts what this process changed: a read that began before is worth nothing.
    changed: u64,
}

impl Default for QuotaCache {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl QuotaCache {
    /// The quotas of an organisation, at most [`MAX_AGE`] old.
    pub(super) async fn get(
        &self,
        store: &dyn OwnersStore,
        id: &OrganisationId,
        now: Timestamp,
    ) -> Result<Quotas> {
        let began = {
            let known = self.known.locked();
            if let Some((quotas, at)) = known.quotas.get(id)
                // A clock that was set back makes nothing younger.
                && *at <= now
                && now.since(*at) < MAX_AGE
            {
                return Ok(quotas.clone());
            }
            known.changed
        };
        let organisation = store.organisation(id).await?.ok_or_else(no_organisation)?;
        self.saw(id, &organisation.quotas, now, began);
        Ok(organisation.quotas)
    }

    /// How many changes this process made so far, to be given to [`saw`](Self::saw).
    pub(super) fn began(&self) -> u64 {
        self.known.locked().changed
    }

    /// Remembers what was read from the store since `began`; tells those who watch when it is
    /// something else than before.
    pub(super) fn saw(&self, id: &OrganisationId, quotas: &Quotas, now: Timestamp, began: u64) {
        let differs = {
            let mut known = self.known.locked();
            if known.changed != began {
                return;
            }
            if known.quotas.len() >= MAX_REMEMBERED {
                known.quotas.clear();
            }
            let entry = (quotas.clone(), now);
            match known.quotas.get_mut(id) {
                Some(before) => std::mem::replace(before, entry).0 != *quotas,
                None => {
                    known.quotas.insert(id.clone(), entry);
                    false
                }
            }
        };
        if differs {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Forgets an organisation that this process changed.
    pub(super) fn changed(&self, id: &OrganisationId) {
        {
            let mut known = self.known.locked();
            known.changed += 1;
            known.quotas.remove(id);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
