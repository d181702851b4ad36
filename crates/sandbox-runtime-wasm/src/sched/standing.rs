//! Whether a group may run: throttling, pausing, making room for others.

use std::sync::Arc;

use super::executor::Shared;
use super::group::{Group, State};
use super::queue::GRANULARITY;
use super::slice::Slice;
use super::timers::{Action, Timer};

impl Shared {
    /// Stops a group that has used more than its rate until that is made good.
    pub(super) fn throttle(&self, group: &Arc<Group>, state: &mut State, now: u64) {
        if state.throttled {
            return;
        }
        let wait = state.bucket.wait(now);
        if wait > 0 {
            state.throttled = true;
            let timer = Timer {
                group: group.clone(),
                due: 0,
                action: Action::Unthrottle,
            };
            self.ticker.add_at(now.saturating_add(wait), timer);
        }
    }

    pub(super) fn unthrottle(&self, group: &Arc<Group>) {
        let mut queue = self.queue.lock();
        let mut state = group.state.lock();
        state.throttled = false;
        let now = self.now();
        self.throttle(group, &mut state, now);
        self.enqueue(&mut queue, group, &mut state);
    }

    /// See [`slice_over`](super::slice_over).
    pub(super) fn must_yield(&self, slice: &Slice) -> bool {
        let now = self.now();
        let used = now.saturating_sub(slice.began);
        let queue = self.queue.lock();
        let mut state = slice.group.state.lock();
        if !state.may_run() || queue.shutdown {
            return true;
        }
        let had = state.had.saturating_add(used);
        state.bucket.would_wait(used, now)
            || (queue.least()).is_some_and(|least| least.saturating_add(GRANULARITY) < had)
    }

    pub(super) fn pause(&self, group: &Arc<Group>) {
        let mut queue = self.queue.lock();
        let mut state = group.state.lock();
        if state.paused.is_some() {
            return;
        }
        state.paused = Some(self.now());
        if let Some(had) = state.queued.take() {
            queue.remove(had, group.id());
        }
        let running = state.running > 0;
        drop(state);
        drop(queue);
        if running {
            self.tick();
        }
    }

    pub(super) fn resume(&self, group: &Arc<Group>) {
        let mut queue = self.queue.lock();
        let mut state = group.state.lock();
        let Some(since) = state.paused.take() else {
            return;
        };
        state.paused_before += self.now().saturating_sub(since);
        self.enqueue(&mut queue, group, &mut state);
        drop(state);
        drop(queue);
        self.ticker.unpark(self, group.id());
    }
}
