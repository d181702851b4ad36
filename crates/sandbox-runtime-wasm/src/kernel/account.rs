//! Memory of one sandbox: what its processes hold, and the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory account of a sandbox. Linear memories, tables, what waits in pipes and what the
/// kernel keeps for guests (arguments, serialised states) are charged to it.
#[derive(Debug)]
pub(crate) struct Account {
    used: AtomicU64,
    limit: u64,
}

impl Account {
    /// An account that may reach `limit` bytes.
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        let used = AtomicU64::new(0);
        Arc::new(Self { used, limit })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes `bytes`, or nothing at all when they do not fit. Whoever took them must
    /// [give them back](Self::uncharge); [`Charge`] does by itself.
    #[must_use]
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        let fits = |used: u64| {
            let sum = used.checked_add(bytes)?;
            (sum <= self.limit).then_some(sum)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
    }

    /// Gives `bytes` back.
    pub(crate) fn uncharge(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes taken from an [`Account`], given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: u64,
}

impl Charge {
    /// Takes `bytes`; `None` when they do not fit.
    pub(crate) fn take(account: &Arc<Account>, bytes: u64) -> Option<Self> {
        account.charge(bytes).then(|| Self {
            account: account.clone(),
            bytes,
        })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.uncharge(self.bytes);
    }
}
