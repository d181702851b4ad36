//! An executor without threads: what it runs, and when, is a matter of what it is given alone.

use std::sync::Arc;

use super::executor::{Executor, Shared};
use super::time::{Time, VirtualTime};

impl Executor {
    /// An executor whose tasks run one slice at a time in [`step`](Self::step), on the thread that
    /// calls it, and by `time`. It ticks for nobody: its tasks yield by themselves.
    pub(crate) fn stepped(time: Arc<VirtualTime>) -> Self {
        Self::over(Shared::new(0, Time::Virtual(time), || {}))
    }

    /// Runs one slice of the task that has waited longest. `false`: none is ready.
    pub(crate) fn step(&self) -> bool {
        self.shared.step()
    }

    /// When the next timer is due.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.shared.ticker.next_at()
    }

    /// Sets off the timers that are due, in their order.
    pub(crate) fn set_off_timers(&self) {
        self.shared.ticker.set_off(&self.shared, self.shared.now());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lock::Lock;

    async fn yield_now() {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }

    #[test]
    fn tasks_take_turns_in_the_order_in_which_they_became_ready() {
        let time = Arc::new(VirtualTime::default());
        let executor = Executor::stepped(time.clone());
        let group = executor.group(1000);
        let seen = Arc::new(Lock::new(Vec::new()));
        for name in ["a", "b"] {
            let (seen, group) = (seen.clone(), group.clone());
            group.clone().spawn(async move {
                for turn in 0..2 {
                    seen.lock().push(format!("{name}{turn}"));
                    yield_now().await;
                }
                group
                    .sleep(Duration::from_secs(if name == "a" { 2 } else { 1 }))
                    .await;
                seen.lock()
                    .push(format!("{name} at {}", group.now() / 1_000_000_000));
            });
        }
        while executor.step() {}
        assert_eq!(*seen.lock(), ["a0", "b0", "a1", "b1"]);
        while let Some(at) = executor.next_timer() {
            time.advance_to(at);
            executor.set_off_timers();
            while executor.step() {}
        }
        assert_eq!(seen.lock()[4..], ["b at 1", "a at 2"]);
    }

    #[test]
    fn nothing_runs_but_in_a_step() {
        let executor = Executor::stepped(Arc::default());
        let group = executor.group(1000);
        let ran = Arc::new(Lock::new(false));
        let runs = ran.clone();
        group.spawn_here(async move { *runs.lock() = true });
        assert!(!*ran.lock());
        assert!(executor.step());
        assert!(*ran.lock());
        assert!(!executor.step());
    }
}
