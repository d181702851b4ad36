//! Tasks of the guest that wait for something that happens on another thread.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use crate::kernel::wakers::Wakers;
use crate::lock::Lock;

/// Everybody who waits for one thing. As a waker of its own it stands for all of them where only
/// one may wait: a socket of the host remembers the last task that polled it and no other.
#[derive(Debug, Default)]
pub(super) struct Waiters(Lock<Wakers>);

impl Waiters {
    /// Adds the task that is polled now. Add first, look then: a wake-up in between counts.
    pub(super) fn add(&self, cx: &Context<'_>) {
        self.0.lock().add(cx);
    }

    /// Wakes everybody.
    pub(super) fn notify(&self) {
        let wakers = self.0.lock().take();
        wakers.wake();
    }

    /// A waker that wakes everybody.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}
