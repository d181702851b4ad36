//! Groups: the tasks of one sandbox, and its share.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_task::Runnable;

use super::bucket::Bucket;
use super::executor::Shared;
use super::timers::{Action, Timer, TimerId};
use crate::kernel::wakers::Wakers;
use crate::lock::Lock;

/// The highest rate there is.
const MAX_MILLI_CPUS: u32 = 1_024_000;

/// The tasks of one sandbox: they share its CPU time, and are paused together.
pub(crate) struct Group {
    id: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) state: Lock<State>,
}

/// A group's state; locked after the queue.
pub(super) struct State {
    /// CPU time it has had, moved up when it wakes after others have had much.
    pub(super) had: u64,
    /// CPU time it has really used.
    pub(super) used: u64,
    pub(super) ready: VecDeque<Runnable>,
    /// What it is in the queue under, when it is.
    pub(super) queued: Option<u64>,
    /// How many of its tasks run now.
    pub(super) running: u32,
    pub(super) bucket: Bucket,
    pub(super) throttled: bool,
    /// Since when it is paused.
    pub(super) paused: Option<u64>,
    /// How long it was paused before.
    pub(super) paused_before: u64,
    /// Who waits until nothing of it runs.
    pub(super) quiet: Wakers,
}

impl State {
    /// Whether its tasks may run.
    pub(super) fn may_run(&self) -> bool {
        self.paused.is_none() && !self.throttled
    }

    /// The group's own time: it stands still while the group is paused.
    fn time(&self, now: u64) -> u64 {
        let since = self.paused.map_or(0, |since| now.saturating_sub(since));
        now - (self.paused_before + since).min(now)
    }
}

impl Group {
    pub(super) fn new(id: u64, shared: Arc<Shared>, milli_cpus: u32) -> Arc<Self> {
        let bucket = Bucket::new(milli_cpus, shared.now());
        let state = State {
            had: 0,
            used: 0,
            ready: VecDeque::new(),
            queued: None,
            running: 0,
            bucket,
            throttled: false,
            paused: None,
            paused_before: 0,
            quiet: Wakers::new(),
        };
        Arc::new(Self {
            id,
            shared,
            state: Lock::new(state),
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Starts a task. It runs until it is done; whoever wants it to end earlier tells it so.
    pub(crate) fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        self.runnable(future).schedule();
    }

    /// Starts a task and polls it once on this very thread, for at most a tick, when no other task
    /// waits for a worker: a command of microseconds needs no change of threads.
    pub(crate) fn spawn_here(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        let runnable = self.runnable(future);
        if let Some(runnable) = self.shared.run_here(self, runnable) {
            runnable.schedule();
        }
    }

    fn runnable(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) -> Runnable {
        let group = self.clone();
        let schedule = move |runnable| group.shared.push(&group, runnable);
        let (runnable, task) = async_task::spawn(future, schedule);
        task.detach();
        runnable
    }

    /// Stands still: running tasks yield at the next tick, and timers stop. Idempotent.
    pub(crate) fn pause(self: &Arc<Self>) {
        self.shared.pause(self);
    }

    /// Waits until none of its tasks runs, as after [`pause`](Self::pause).
    pub(crate) async fn quiet(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.running == 0 {
                return Poll::Ready(());
            }
            state.quiet.add(cx);
            Poll::Pending
        })
        .await;
    }

    /// Goes on after [`pause`](Self::pause). Idempotent.
    pub(crate) fn resume(self: &Arc<Self>) {
        self.shared.resume(self);
    }

    /// Lets it run without a rate and whether it is paused or not: it is being taken apart.
    pub(crate) fn release(self: &Arc<Self>) {
        self.set_milli_cpus(MAX_MILLI_CPUS);
        self.resume();
        self.shared.unthrottle(self);
    }

    /// Changes its rate: CPU time a second, in thousandths of a CPU.
    pub(crate) fn set_milli_cpus(&self, milli_cpus: u32) {
        let now = self.shared.now();
        let rate = milli_cpus.min(MAX_MILLI_CPUS);
        self.state.lock().bucket.set_rate(rate, now);
    }

    /// CPU time its tasks have used.
    pub(crate) fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.state.lock().used)
    }

    /// A future that is ready after `duration` of the group's time: pauses do not count.
    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        Sleep {
            due: self.due(duration),
            group: self.clone(),
            timer: None,
        }
    }

    /// Calls `call` after `duration` of the group's time. It must be quick and not block. Dropping
    /// what this returns calls it off.
    pub(crate) fn after(
        self: &Arc<Self>,
        duration: Duration,
        call: impl FnOnce() + Send + 'static,
    ) -> Alarm {
        let due = self.due(duration);
        let timer = self.add_timer(due, Action::Call(Box::new(call)));
        let group = self.clone();
        Alarm { group, timer }
    }

    /// Nanoseconds by the executor's time.
    pub(crate) fn now(&self) -> u64 {
        self.shared.now()
    }

    fn due(&self, duration: Duration) -> u64 {
        let time = self.time();
        time.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The group's own time now.
    pub(super) fn time(&self) -> u64 {
        self.state.lock().time(self.shared.now())
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state.lock().paused.is_some()
    }

    fn add_timer(self: &Arc<Self>, due: u64, action: Action) -> TimerId {
        let group = self.clone();
        self.shared
            .ticker
            .add(&self.shared, Timer { group, due, action })
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Waits for a time of a group; see [`Group::sleep`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Sleep {
    group: Arc<Group>,
    due: u64,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.group.time() >= self.due {
            return Poll::Ready(());
        }
        let again = self
            .timer
            .is_some_and(|id| self.group.shared.ticker.rewake(id, cx.waker()));
        if !again {
            self.timer = Some(
                self.group
                    .add_timer(self.due, Action::Wake(cx.waker().clone())),
            );
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.group.shared.ticker.remove(self.group.id, timer);
        }
    }
}

/// A call to come; see [`Group::after`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Alarm {
    group: Arc<Group>,
    timer: TimerId,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.group.shared.ticker.remove(self.group.id, self.timer);
    }
}
