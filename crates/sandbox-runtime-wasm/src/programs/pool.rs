//! The threads that compile.
//!
//! Compiling takes seconds and cannot be cancelled, so it has threads of its own, few of them. Who
//! asks for more gets no more: one job of a sandbox runs at a time, and sandboxes take turns.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Whose job it is; all jobs of one sandbox have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asker(pub(crate) u64);

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);
/// A compiler works on what tenants wrote; its recursion is bounded, and not small.
const STACK_BYTES: usize = 16 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads that take jobs in turns between those who ask. None runs while there is nothing
/// to do.
#[derive(Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    max_threads: usize,
}

#[derive(Default)]
struct State {
    /// Who has jobs waiting or one running.
    askers: HashMap<Asker, Jobs>,
    /// Who has jobs waiting and none running, next one first.
    turns: VecDeque<Asker>,
    threads: usize,
    idle: usize,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    running: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("askers", &self.askers.len())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool of at most `max_threads` threads, at least one.
    pub(crate) fn new(max_threads: usize) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            max_threads: max_threads.max(1),
        }))
    }

    /// Hands in a job. `false`: `limit` jobs of `asker` wait already, and this one was not taken.
    #[must_use]
    pub(crate) fn submit(&self, asker: Asker, limit: usize, job: Job) -> bool {
        let mut state = self.0.lock();
        let jobs = state.askers.entry(asker).or_default();
        if jobs.waiting.len() >= limit {
            return false;
        }
        jobs.waiting.push_back(job);
        if jobs.waiting.len() == 1 && !jobs.running {
            state.turns.push_back(asker);
        }
        if state.idle == 0 && state.threads < self.0.max_threads {
            state.threads += 1;
            drop(state);
            self.0.start_thread();
        } else {
            drop(state);
            self.0.work.notify_one();
        }
        true
    }

    /// How many jobs wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        let state = self.0.lock();
        state.askers.values().map(|jobs| jobs.waiting.len()).sum()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run without the lock, so nothing half done is behind a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>) {
        let shared = self.clone();
        let started = thread::Builder::new()
            .name("sandbox-compile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work());
        if let Err(error) = started {
            tracing::error!(%error, "no thread to compile on");
            let mut state = self.lock();
            state.threads -= 1;
            if state.threads == 0 {
                // Nobody would ever take them; who waits is told by the job being dropped.
                state.askers.clear();
                state.turns.clear();
            }
        }
    }

    fn work(&self) {
        while let Some((asker, job)) = self.next() {
            // A panic of the compiler is a defect of it, and not the end of this thread.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            if ended.is_err() {
                tracing::error!("a compilation panicked");
            }
            self.done(asker);
        }
    }

    /// The next job; `None` when there was none for a while, and this thread is not counted now.
    fn next(&self) -> Option<(Asker, Job)> {
        let mut state = self.lock();
        loop {
            if let Some(asker) = state.turns.pop_front() {
                let jobs = state.askers.entry(asker).or_default();
                if let Some(job) = jobs.waiting.pop_front() {
                    jobs.running = true;
                    return Some((asker, job));
                }
                continue;
            }
            state.idle += 1;
            let (back, waited) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && state.turns.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }

    fn done(&self, asker: Asker) {
        let mut state = self.lock();
        let Some(jobs) = state.askers.get_mut(&asker) else {
            return;
        };
        jobs.running = false;
        if jobs.waiting.is_empty() {
            state.askers.remove(&asker);
        } else {
            state.turns.push_back(asker);
            self.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const MANY: usize = 100;

    /// Occupies `pool`'s only thread until something is sent.
    fn occupied(pool: &Pool) -> Sender<()> {
        let (go, gone) = channel::<()>();
        let (begun, begins) = channel();
        let job = move || {
            begun.send(()).unwrap();
            let _ = gone.recv();
        };
        assert!(pool.submit(Asker(0), MANY, Box::new(job)));
        begins.recv_timeout(PATIENCE).unwrap();
        go
    }

    fn reporting(pool: &Pool, asker: u64, said: &Sender<u64>) -> bool {
        let said = said.clone();
        pool.submit(
            Asker(asker),
            MANY,
            Box::new(move || said.send(asker).unwrap()),
        )
    }

    fn heard(heard: &Receiver<u64>, count: usize) -> Vec<u64> {
        (0..count)
            .map(|_| heard.recv_timeout(PATIENCE).unwrap())
            .collect()
    }

    #[test]
    fn those_who_ask_take_turns() {
        let pool = Pool::new(1);
        let go = occupied(&pool);
        let (said, order) = channel();
        for asker in [1, 1, 1, 1, 2, 3, 3] {
            assert!(reporting(&pool, asker, &said));
        }
        go.send(()).unwrap();
        assert_eq!(heard(&order, 7), [1, 2, 3, 1, 3, 1, 1]);
    }

    #[test]
    fn one_of_a_sandbox_runs_at_a_time_while_threads_are_free() {
        let pool = Pool::new(2);
        let go = occupied(&pool);
        let (said, order) = channel();
        assert!(reporting(&pool, 0, &said), "of the one that runs");
        for _ in 0..3 {
            assert!(reporting(&pool, 1, &said));
        }
        assert_eq!(heard(&order, 3), [1, 1, 1]);
        assert_eq!(pool.waiting(), 1);
        go.send(()).unwrap();
        assert_eq!(heard(&order, 1), [0]);
    }

    #[test]
    fn more_than_may_wait_are_not_taken() {
        let pool = Pool::new(1);
        let go = occupied(&pool);
        let (said, order) = channel();
        let submit = |asker: u64| {
            let said = said.clone();
            pool.submit(Asker(asker), 2, Box::new(move || said.send(asker).unwrap()))
        };
        assert!(submit(1) && submit(1) && !submit(1));
        assert!(submit(2), "another may");
        go.send(()).unwrap();
        assert_eq!(heard(&order, 3), [1, 2, 1]);
        assert!(submit(1));
        assert_eq!(heard(&order, 1), [1]);
    }

    #[test]
    fn a_job_that_panics_costs_nobody_else_anything() {
        let pool = Pool::new(1);
        assert!(pool.submit(Asker(1), MANY, Box::new(|| panic!("as a test"))));
        let (said, order) = channel();
        assert!(reporting(&pool, 1, &said));
        assert_eq!(heard(&order, 1), [1]);
    }
}
