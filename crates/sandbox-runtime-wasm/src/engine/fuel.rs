//! Fuel: what deterministic runs are measured and interrupted by, in place of the time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasmtime::{Store, Trap};

use super::run::execute;
use super::{Executable, ProcessState};
use crate::sched::VirtualTime;

/// Fuel of one slice of a process.
pub(crate) const SLICE: u64 = 1_000_000;
/// What a slice takes by the virtual time, in nanoseconds: as if a unit of fuel took one.
const SLICE_NANOS: u64 = 1_000_000;

/// The fuel of one deterministic run, for all its processes together.
#[derive(Debug)]
pub(crate) struct Fuel {
    limit: u64,
    used: AtomicU64,
    exhausted: AtomicBool,
    cancelled: AtomicBool,
    time: Arc<VirtualTime>,
}

impl Fuel {
    /// `limit` units; slices take their time by `time`.
    pub(crate) fn new(limit: u64, time: Arc<VirtualTime>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
            exhausted: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            time,
        })
    }

    /// Units used so far: exactly by processes that have ended, in whole slices by others.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether a process has asked for more than there was.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// Ends every process at the next tick of the engine, from whichever thread.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used())
    }

    /// Takes a slice, or what there is.
    fn take_slice(&self) -> Result<u64, Trap> {
        self.time.advance(SLICE_NANOS);
        let taken = self.left().min(SLICE);
        self.used.fetch_add(taken, Ordering::Relaxed);
        if taken < SLICE {
            self.exhausted.store(true, Ordering::Relaxed);
            return Err(Trap::OutOfFuel);
        }
        Ok(taken)
    }

    /// Puts in place of the slices `taken` what was really used.
    fn settle(&self, taken: u64, used: u64) {
        self.used.fetch_sub(taken, Ordering::Relaxed);
        let used = used.min(self.left());
        self.used.fetch_add(used, Ordering::Relaxed);
    }
}

/// Runs `code` in `store` and charges `fuel` for it.
///
/// # Errors
/// Those of the run; [`Trap::OutOfFuel`] when all of `fuel` is used up, also by others.
pub(super) async fn measured(
    store: &mut Store<ProcessState>,
    code: &Executable,
    fuel: &Fuel,
) -> wasmtime::Result<()> {
    let full = fuel.left();
    store.set_fuel(full)?;
    store.fuel_async_yield_interval(Some(SLICE))?;
    let mut taken = 0;
    let result = by_slices(execute(store, code), fuel, &mut taken).await;
    let left = store.get_fuel()?;
    fuel.settle(taken, full.saturating_sub(left));
    if let Err(error) = &result
        && let Some(Trap::OutOfFuel) = error.downcast_ref()
    {
        fuel.exhausted.store(true, Ordering::Relaxed);
    }
    result
}

/// Drives `run` and takes a slice of `fuel` for each that it uses up.
async fn by_slices(
    run: impl Future<Output = wasmtime::Result<()>>,
    fuel: &Fuel,
    taken: &mut u64,
) -> wasmtime::Result<()> {
    let mut run = pin!(run);
    let mut noting: Option<(Arc<Noting>, Waker)> = None;
    poll_fn(|cx| {
        let kept = noting
            .take()
            .filter(|(noting, _)| noting.inner.will_wake(cx.waker()));
        let (note, waker) = noting.insert(kept.unwrap_or_else(|| Noting::new(cx.waker())));
        note.woken.store(false, Ordering::Relaxed);
        if let Poll::Ready(result) = run.as_mut().poll(&mut Context::from_waker(waker)) {
            return Poll::Ready(result);
        }
        // Who waits for something is woken by that, later. Who has been woken already yields, and
        // that is what the engine does when a slice is used up.
        if note.woken.load(Ordering::Relaxed) {
            *taken += fuel.take_slice()?;
        }
        Poll::Pending
    })
    .await
}

/// Notes whether it was woken.
struct Noting {
    inner: Waker,
    woken: AtomicBool,
}

impl Noting {
    fn new(inner: &Waker) -> (Arc<Self>, Waker) {
        let noting = Arc::new(Self {
            inner: inner.clone(),
            woken: AtomicBool::new(false),
        });
        (noting.clone(), noting.into())
    }
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.inner.wake_by_ref();
    }
}
