//! Whom to wake when something changes.

use std::task::{Context, Waker};

/// Tasks that wait for one thing. A task waits once, however often it is polled.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the task that is polled now.
    pub(crate) fn add(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    /// Takes them all out; wake them after the lock is let go.
    #[must_use]
    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    /// Wakes them all.
    pub(crate) fn wake(self) {
        for waker in self.0 {
            waker.wake();
        }
    }
}
