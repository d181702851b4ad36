//! The thread that ticks while something runs and sets off timers. It sleeps while there is
//! neither.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::executor::Shared;
use super::timers::{Action, Timer, TimerId, Timers};
use crate::lock::Lock;

/// How often it ticks while something runs.
const TICK: u64 = 1_000_000;

/// How long it goes on after the last slice, in nanoseconds: it need not be woken for each of
/// many short commands.
const LINGER: u64 = 20_000_000;

#[derive(Debug, Default)]
pub(super) struct Ticker {
    timers: Lock<Timers>,
    condvar: Condvar,
    /// Whether it sleeps until a timer or a wake-up.
    asleep: AtomicBool,
}

impl Ticker {
    /// Makes it tick when it sleeps. Called when a slice begins.
    pub(super) fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            let _timers = self.timers.lock();
            self.condvar.notify_one();
        }
    }

    /// Adds a timer.
    pub(super) fn add(&self, shared: &Shared, timer: Timer) -> TimerId {
        let wait = timer.due.saturating_sub(timer.group.time());
        self.add_at(shared.now().saturating_add(wait), timer)
    }

    /// Adds a timer that goes off at `at`.
    pub(super) fn add_at(&self, at: u64, timer: Timer) -> TimerId {
        let mut timers = self.timers.lock();
        let first = timers.next_at().is_none_or(|next| at < next);
        let id = timers.add(at, timer);
        if first {
            self.condvar.notify_one();
        }
        id
    }

    /// Lets the waiting timer `id` wake `waker` instead. `false`: it has gone off.
    pub(super) fn rewake(&self, id: TimerId, waker: &Waker) -> bool {
        let mut timers = self.timers.lock();
        match timers.get_mut(id) {
            Some(timer) => {
                timer.action = Action::Wake(waker.clone());
                true
            }
            None => false,
        }
    }

    /// Calls a timer off.
    pub(super) fn remove(&self, group: u64, id: TimerId) {
        let timer = self.timers.lock().remove(group, id);
        // What it holds may be the last of its kind: not under the lock.
        drop(timer);
    }

    /// Puts the timers of a group that was paused back.
    pub(super) fn unpark(&self, shared: &Shared, group: u64) {
        loop {
            let taken = self.timers.lock().take_parked(group);
            let Some((id, timer)) = taken else {
                return;
            };
            let wait = timer.due.saturating_sub(timer.group.time());
            let at = shared.now().saturating_add(wait);
            self.timers.lock().put(id, at, timer);
            self.condvar.notify_one();
        }
    }

    /// The thread's loop.
    pub(super) fn run(&self, shared: &Arc<Shared>) {
        let mut busy = 0;
        loop {
            let now = shared.now();
            self.set_off(shared, now);
            if shared.is_shut_down() {
                return;
            }
            let running = shared.is_running();
            if running {
                busy = now;
            }
            let ticking = running || now < busy.saturating_add(LINGER);
            self.sleep(shared, ticking);
            if ticking && shared.is_running() {
                shared.tick();
            }
        }
    }

    /// Sleeps until the next timer, and with `ticking` at most a tick.
    fn sleep(&self, shared: &Shared, ticking: bool) {
        let timers = self.timers.lock();
        if !ticking {
            self.asleep.store(true, Ordering::SeqCst);
            // Who began a slice before this was seen did not wake anybody.
            if shared.is_running() || shared.is_shut_down() {
                self.asleep.store(false, Ordering::SeqCst);
                return;
            }
        }
        let now = shared.now();
        let timer = timers.next_at().map(|at| at.saturating_sub(now));
        let wait = if ticking {
            Some(timer.map_or(TICK, |timer| timer.min(TICK)))
        } else {
            timer
        };
        match wait {
            Some(0) => {}
            Some(nanos) => {
                let wait = Duration::from_nanos(nanos);
                let woken = self.condvar.wait_timeout(timers, wait);
                drop(woken.unwrap_or_else(PoisonError::into_inner));
            }
            None => {
                let woken = self.condvar.wait(timers);
                drop(woken.unwrap_or_else(PoisonError::into_inner));
            }
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// When the next timer goes off.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.timers.lock().next_at()
    }

    /// Sets off what is due.
    pub(super) fn set_off(&self, shared: &Arc<Shared>, now: u64) {
        loop {
            let taken = self.timers.lock().take_due(now);
            let Some((id, timer)) = taken else {
                return;
            };
            // Throttling goes by the real time: a paused group's bucket fills too.
            if !matches!(timer.action, Action::Unthrottle) {
                let group = timer.group.clone();
                if group.is_paused() {
                    self.timers.lock().park(id, timer);
                    if !group.is_paused() {
                        // It was resumed before this one was parked.
                        self.unpark(shared, group.id());
                    }
                    continue;
                }
                let early = timer.due.saturating_sub(group.time());
                if early > 0 {
                    self.timers.lock().put(id, now.saturating_add(early), timer);
                    continue;
                }
            }
            if !self.timers.lock().finish(id) {
                continue;
            }
            match timer.action {
                Action::Wake(waker) => waker.wake(),
                Action::Call(call) => call(),
                Action::Unthrottle => shared.unthrottle(&timer.group),
            }
        }
    }

    /// How many timers wait.
    #[cfg(test)]
    pub(super) fn timers(&self) -> usize {
        self.timers.lock().len()
    }
}
