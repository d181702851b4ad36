//! The worker threads and what they share.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::thread;
use std::time::Instant;

use async_task::Runnable;

use super::group::{Group, State};
use super::queue::Queue;
use super::slice::{self, Slice};
use super::ticker::Ticker;
use super::time::Time;
use crate::lock::Lock;

/// Runs the tasks of groups on its threads until it is dropped.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(super) shared: Arc<Shared>,
    groups: AtomicU64,
}

/// What the threads and the groups of an executor share.
pub(super) struct Shared {
    pub(super) queue: Lock<Queue>,
    work: Condvar,
    /// Slices that run now.
    running: AtomicUsize,
    workers: usize,
    pub(super) ticker: Ticker,
    tick: Box<dyn Fn() + Send + Sync>,
    time: Time,
}

impl Executor {
    /// An executor with `workers` threads, at least one, and one that ticks. `tick` makes those
    /// that compute ask [`slice_over`](super::slice_over); it is called from any thread.
    ///
    /// # Errors
    /// When the host has no more threads.
    pub(crate) fn new(
        workers: usize,
        tick: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        // From here on, dropping it ends the threads that were started.
        let executor = Self::over(Shared::new(
            workers.max(1),
            Time::Host(Instant::now()),
            tick,
        ));
        let named = |name: &str| thread::Builder::new().name(name.into());
        for _ in 0..executor.shared.workers {
            let shared = executor.shared.clone();
            named("sandbox-wasm").spawn(move || shared.work())?;
        }
        let shared = executor.shared.clone();
        named("sandbox-tick").spawn(move || shared.ticker.run(&shared))?;
        Ok(executor)
    }

    pub(super) fn over(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            groups: AtomicU64::new(0),
        }
    }

    /// A new group with this rate: CPU time a second, in thousandths of a CPU.
    pub(crate) fn group(&self, milli_cpus: u32) -> Arc<Group> {
        let id = self.groups.fetch_add(1, Ordering::Relaxed);
        Group::new(id, self.shared.clone(), milli_cpus)
    }

    /// How many worker threads there are.
    pub(crate) fn workers(&self) -> usize {
        self.shared.workers
    }

    /// How many timers wait.
    #[cfg(test)]
    pub(super) fn timers(&self) -> usize {
        self.shared.ticker.timers()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.shutdown = true;
        let mut left = Vec::new();
        while let Some(group) = queue.pop() {
            let mut state = group.state.lock();
            state.queued = None;
            left.extend(std::mem::take(&mut state.ready));
        }
        drop(queue);
        self.shared.work.notify_all();
        self.shared.ticker.wake();
        // Dropping what was to run cancels it.
        drop(left);
    }
}

impl Shared {
    pub(super) fn new(workers: usize, time: Time, tick: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            queue: Lock::new(Queue::default()),
            work: Condvar::new(),
            running: AtomicUsize::new(0),
            workers,
            ticker: Ticker::default(),
            tick: Box::new(tick),
            time,
        }
    }

    /// Nanoseconds since the executor was made.
    pub(super) fn now(&self) -> u64 {
        self.time.now()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.queue.lock().shutdown
    }

    pub(super) fn tick(&self) {
        (self.tick)();
    }

    /// A worker's loop.
    fn work(self: &Arc<Self>) {
        let mut queue = self.queue.lock();
        while !queue.shutdown {
            let Some((group, runnable, slice)) = self.take(&mut queue) else {
                queue.idle += 1;
                queue = self
                    .work
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
                continue;
            };
            drop(queue);
            self.run(&group, runnable, slice, false);
            queue = self.queue.lock();
        }
    }

    /// Runs the slice that a worker would run next, if there is one.
    pub(super) fn step(self: &Arc<Self>) -> bool {
        let taken = self.take(&mut self.queue.lock());
        let Some((group, runnable, slice)) = taken else {
            return false;
        };
        self.run(&group, runnable, slice, false);
        true
    }

    /// Takes the task that has waited longest out of the group that has had least.
    fn take(&self, queue: &mut Queue) -> Option<(Arc<Group>, Runnable, u64)> {
        loop {
            let group = queue.pop()?;
            let mut state = group.state.lock();
            state.queued = None;
            let Some(runnable) = state.ready.pop_front() else {
                continue;
            };
            self.enqueue(queue, &group, &mut state);
            let slice = begin(queue, &mut state);
            drop(state);
            return Some((group, runnable, slice));
        }
    }

    /// Runs one slice and accounts for it.
    fn run(self: &Arc<Self>, group: &Arc<Group>, runnable: Runnable, slice: u64, inline: bool) {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.ticker.wake();
        let began = self.now();
        let current = Slice {
            shared: self.clone(),
            group: group.clone(),
            began,
            inline,
        };
        slice::enter(current, || {
            runnable.run();
        });
        let now = self.now();
        self.running.fetch_sub(1, Ordering::SeqCst);
        let used = now.saturating_sub(began);
        let mut queue = self.queue.lock();
        queue.end(slice);
        let mut state = group.state.lock();
        state.running -= 1;
        state.used += used;
        state.bucket.charge(used, now);
        if let Some(had) = state.queued.take() {
            queue.remove(had, group.id());
        }
        state.had += used;
        self.throttle(group, &mut state, now);
        self.enqueue(&mut queue, group, &mut state);
        let quiet = (state.running == 0).then(|| state.quiet.take());
        drop(state);
        drop(queue);
        if let Some(quiet) = quiet {
            quiet.wake();
        }
    }

    /// Puts a group with something to run in the queue, and sees that somebody takes it out.
    pub(super) fn enqueue(&self, queue: &mut Queue, group: &Arc<Group>, state: &mut State) {
        if state.queued.is_some() || state.ready.is_empty() || !state.may_run() || queue.shutdown {
            return;
        }
        state.had = queue.joining(state.had);
        state.queued = Some(state.had);
        queue.insert(state.had, group.clone());
        if queue.idle > 0 {
            self.work.notify_one();
        } else if queue.outranks(state.had) {
            self.tick();
        }
    }

    /// Makes a task of `group` ready to run.
    pub(super) fn push(&self, group: &Arc<Group>, runnable: Runnable) {
        let mut queue = self.queue.lock();
        if queue.shutdown {
            drop(queue);
            // Nobody will run it; dropping it cancels it.
            drop(runnable);
            return;
        }
        let mut state = group.state.lock();
        state.ready.push_back(runnable);
        self.enqueue(&mut queue, group, &mut state);
    }

    /// Runs `runnable` on this thread when nobody waits for a worker and not all are busy; gives
    /// it back otherwise.
    pub(super) fn run_here(
        self: &Arc<Self>,
        group: &Arc<Group>,
        runnable: Runnable,
    ) -> Option<Runnable> {
        let mut queue = self.queue.lock();
        let mut state = group.state.lock();
        let free = queue.least().is_none() && queue.running() < self.workers;
        if !free || !state.may_run() || queue.shutdown {
            return Some(runnable);
        }
        let slice = begin(&mut queue, &mut state);
        drop(state);
        drop(queue);
        self.run(group, runnable, slice, true);
        None
    }
}

/// Notes that a task of the group begins to run.
fn begin(queue: &mut Queue, state: &mut State) -> u64 {
    state.had = queue.joining(state.had);
    state.running += 1;
    queue.begin(state.had)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
