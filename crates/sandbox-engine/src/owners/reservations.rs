//! Shares of quotas that sandboxes hold, from before they are made until they are gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_core::{Error, ErrorKind, Resources, Result, SandboxId};

use super::{OrganisationId, Quotas};

/// What an organisation's sandboxes hold together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Sandboxes.
    pub sandboxes: u32,
    /// Thousandths of a CPU.
    pub milli_cpus: u64,
    /// Bytes of memory.
    pub memory: u64,
}

impl Held {
    fn share(resources: &Resources) -> Self {
        Self {
            sandboxes: 1,
            milli_cpus: resources.milli_cpus.into(),
            memory: resources.memory,
        }
    }

    fn plus(self, share: Self) -> Self {
        Self {
            sandboxes: self.sandboxes.saturating_add(share.sandboxes),
            milli_cpus: self.milli_cpus.saturating_add(share.milli_cpus),
            memory: self.memory.saturating_add(share.memory),
        }
    }

    fn minus(self, share: Self) -> Self {
        Self {
            sandboxes: self.sandboxes.saturating_sub(share.sandboxes),
            milli_cpus: self.milli_cpus.saturating_sub(share.milli_cpus),
            memory: self.memory.saturating_sub(share.memory),
        }
    }

    /// Refuses to hold `share` more where that is over `quotas`.
    fn check(self, share: Self, quotas: &Quotas) -> Result<()> {
        let after = self.plus(share);
        let checks = [
            (
                "quotas.concurrent_sandboxes",
                u64::from(self.sandboxes),
                u64::from(after.sandboxes),
                quotas.concurrent_sandboxes.map(u64::from),
            ),
            (
                "quotas.milli_cpus",
                self.milli_cpus,
                after.milli_cpus,
                quotas.milli_cpus,
            ),
            ("quotas.memory", self.memory, after.memory, quotas.memory),
        ];
        for (field, held, wanted, limit) in checks {
            if let Some(limit) = limit.filter(|limit| wanted > *limit) {
                return Err(over(field, held, wanted - held, limit));
            }
        }
        Ok(())
    }
}

fn over(field: &'static str, held: u64, asked: u64, limit: u64) -> Error {
    let message = format!(
        "the organisation has {held} in use and asks for {asked} more; the limit is {limit}"
    );
    Error::new(ErrorKind::LimitExceeded, "owners.reserve", message).with_field(field)
}

#[derive(Debug, Default)]
struct Ledger {
    sandboxes: HashMap<SandboxId, (OrganisationId, Held)>,
    held: HashMap<OrganisationId, Held>,
}

impl Ledger {
    fn add(&mut self, id: &SandboxId, organisation: &OrganisationId, share: Held) {
        self.sandboxes
            .insert(id.clone(), (organisation.clone(), share));
        let held = self.held.entry(organisation.clone()).or_default();
        *held = held.plus(share);
    }

    fn remove(&mut self, id: &SandboxId) -> bool {
        let Some((organisation, share)) = self.sandboxes.remove(id) else {
            return false;
        };
        if let Some(held) = self.held.get_mut(&organisation) {
            *held = held.minus(share);
            if *held == Held::default() {
                self.held.remove(&organisation);
            }
        }
        true
    }
}

/// All reservations of a process; clones share them.
#[derive(Debug, Default, Clone)]
pub(super) struct Reservations(Arc<Mutex<Ledger>>);

impl Reservations {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a share, all of it or nothing.
    pub(super) fn reserve(
        &self,
        organisation: &OrganisationId,
        id: &SandboxId,
        resources: &Resources,
        quotas: &Quotas,
    ) -> Result<Reservation> {
        let share = Held::share(resources);
        let mut ledger = self.lock();
        if ledger.sandboxes.contains_key(id) {
            let message = format!("the sandbox {id} has its share already");
            return Err(Error::new(ErrorKind::Conflict, "owners.reserve", message).with_field("id"));
        }
        let held = ledger.held.get(organisation).copied().unwrap_or_default();
        held.check(share, quotas)?;
        ledger.add(id, organisation, share);
        Ok(Reservation {
            reservations: self.clone(),
            id: Some(id.clone()),
        })
    }

    /// Takes the share of a sandbox that exists, whatever the quotas say.
    pub(super) fn restore(
        &self,
        organisation: &OrganisationId,
        id: &SandboxId,
        resources: &Resources,
    ) {
        let mut ledger = self.lock();
        ledger.remove(id);
        ledger.add(id, organisation, Held::share(resources));
    }

    pub(super) fn release(&self, id: &SandboxId) -> bool {
        self.lock().remove(id)
    }

    pub(super) fn held(&self, organisation: &OrganisationId) -> Held {
        self.lock()
            .held
            .get(organisation)
            .copied()
            .unwrap_or_default()
    }
}

/// A sandbox's share, taken before it is made. Dropping it gives the share back, so that a create
/// that fails, or is cancelled, leaks nothing; [`keep`](Self::keep) it once the sandbox is made.
#[derive(Debug)]
#[must_use = "dropping a reservation gives it back"]
pub struct Reservation {
    reservations: Reservations,
    id: Option<SandboxId>,
}

impl Reservation {
    /// Leaves the share with the sandbox until [`Owners::release`](super::Owners::release).
    pub fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.reservations.release(id);
        }
    }
}
