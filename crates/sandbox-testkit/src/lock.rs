//! Locks that a failing test does not poison for the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locking that goes on after a panic elsewhere: no lock here guards an invariant that a panic
/// between two statements could break, and a test that failed has reported already.
pub(crate) trait Locked<T> {
    fn locked(&self) -> MutexGuard<'_, T>;
}

impl<T> Locked<T> for Mutex<T> {
    fn locked(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
