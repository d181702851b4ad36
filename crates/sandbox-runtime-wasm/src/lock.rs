//! The one lock used here.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex without poison: what it guards is never left half-changed by a panic, since nothing
/// that can panic runs under it.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
