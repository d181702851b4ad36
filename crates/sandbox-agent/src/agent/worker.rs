//! Threads for what may take long: walking directories, removing trees.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::exec::ExecId;
use super::sys::fd;
use crate::agent::watch::Prepared;
use crate::protocol::{Reply, WireError};

/// The most threads; the guest's own processes count against the same limit.
const MAX_THREADS: usize = 4;

/// What a worker has to say.
#[derive(Debug)]
pub(super) enum Completion {
    /// Everything below a command that ran out of time is gone.
    Swept(ExecId),
    /// The answer to the request that the job is.
    Done(u64, Result<Reply, WireError>),
    /// There is something to send on the channel of the job.
    Lines(u64),
    /// A watch is set up.
    Watching(u64, Result<Box<Prepared>, WireError>),
}

/// Where workers put what they have to say.
#[derive(Debug, Clone)]
pub(super) struct Completions {
    list: Arc<Mutex<Vec<Completion>>>,
    wake: Arc<OwnedFd>,
}

impl Completions {
    pub(super) fn new(wake: OwnedFd) -> Self {
        Self {
            list: Arc::default(),
            wake: Arc::new(wake),
        }
    }

    pub(super) fn push(&self, completion: Completion) {
        lock(&self.list).push(completion);
        // It fails only when the counter is at its top, and then it wakes already.
        let _ = fd::write(self.wake.as_raw_fd(), &1u64.to_ne_bytes());
    }

    pub(super) fn take(&self) -> Vec<Completion> {
        let mut counter = [0; 8];
        let _ = fd::read(self.wake.as_raw_fd(), &mut counter);
        std::mem::take(&mut lock(&self.list))
    }
}

/// Locks, whatever happened to the thread that held it last: the program aborts on a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (jobs, threads) = (self.jobs.len(), self.threads);
        write!(f, "Queue {{ jobs: {jobs}, threads: {threads} }}")
    }
}

/// The threads and their queue.
#[derive(Debug)]
pub(super) struct Workers {
    queue: Arc<(Mutex<Queue>, Condvar)>,
    pub(super) completions: Completions,
}

impl Workers {
    /// Starts with one thread, so that there is one whatever the guest does.
    pub(super) fn start(completions: Completions) -> io::Result<Self> {
        let workers = Self {
            queue: Arc::default(),
            completions,
        };
        workers.add_thread(&mut lock(&workers.queue.0))?;
        Ok(workers)
    }

    pub(super) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = lock(&self.queue.0);
        queue.jobs.push_back(Box::new(job));
        if queue.idle < queue.jobs.len() && queue.threads < MAX_THREADS {
            // When there may be no more threads, those there are do it later.
            let _ = self.add_thread(&mut queue);
        }
        self.queue.1.notify_one();
    }

    fn add_thread(&self, queue: &mut Queue) -> io::Result<()> {
        let shared = Arc::clone(&self.queue);
        std::thread::Builder::new()
            .name("worker".into())
            .stack_size(256 * 1024)
            .spawn(move || work(&shared))?;
        queue.threads += 1;
        Ok(())
    }
}

fn work((queue, wake): &(Mutex<Queue>, Condvar)) {
    let mut held = lock(queue);
    loop {
        if let Some(job) = held.jobs.pop_front() {
            drop(held);
            job();
            held = lock(queue);
            continue;
        }
        held.idle += 1;
        held = wake.wait(held).unwrap_or_else(PoisonError::into_inner);
        held.idle -= 1;
    }
}
