//! The scheduler: tasks of many sandboxes on few threads, each sandbox its fair share.
//!
//! A task is a future of some [`Group`]; one group is one sandbox. The run queue is ordered by the
//! CPU time that a group has had, so that a thousand groups that compute without end do not delay
//! one that wakes for a moment. Futures that compute ask [`slice_over`] on every tick whether to
//! yield; the tick comes every millisecond while something runs, and at once when a group that has
//! had less waits and every worker is busy.
//!
//! The executor knows nothing of processes or of Wasm.

mod bucket;
mod executor;
mod group;
mod queue;
mod slice;
mod standing;
mod stepped;
mod ticker;
mod time;
mod timers;

#[cfg(test)]
mod tests;

pub(crate) use executor::Executor;
#[cfg(feature = "components")]
pub(crate) use group::Sleep;
pub(crate) use group::{Alarm, Group};
pub(crate) use slice::slice_over;
pub(crate) use time::VirtualTime;
