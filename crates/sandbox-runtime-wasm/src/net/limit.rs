//! How many sockets there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernel::{Errno, Result};

/// A count with an end.
#[derive(Debug)]
pub(super) struct Limit {
    used: AtomicUsize,
    most: usize,
}

/// One of a [`Limit`], given back when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Limit>);

impl Limit {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let used = AtomicUsize::new(0);
        Arc::new(Self { used, most })
    }

    /// Takes one.
    ///
    /// # Errors
    /// `NFILE` when all are taken.
    pub(super) fn take(self: &Arc<Self>) -> Result<Slot> {
        let more = |used: usize| (used < self.most).then_some(used + 1);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| Errno::NFILE)?;
        Ok(Slot(Arc::clone(self)))
    }

    /// How many are taken.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}
