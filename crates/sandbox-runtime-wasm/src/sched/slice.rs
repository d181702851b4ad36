//! The slice that this thread runs.

use std::cell::RefCell;
use std::sync::Arc;

use super::executor::Shared;
use super::group::Group;

/// What this thread runs now.
#[derive(Clone)]
pub(super) struct Slice {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Arc<Group>,
    /// When it began.
    pub(super) began: u64,
    /// Whether it runs on the thread of who started it, which is not ours to keep.
    pub(super) inline: bool,
}

thread_local! {
    static CURRENT: RefCell<Option<Slice>> = const { RefCell::new(None) };
}

/// Runs `run` as `slice`.
pub(super) fn enter(slice: Slice, run: impl FnOnce()) {
    let outer = CURRENT.replace(Some(slice));
    // Put back also when `run` panics, for who catches it.
    let _restore = Restore(outer);
    run();
}

struct Restore(Option<Slice>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// Whether the task that this thread polls should yield: its group is paused or has used up its
/// rate, somebody who has had less waits, or the thread is borrowed. Cheap enough for every tick.
pub(crate) fn slice_over() -> bool {
    let slice = CURRENT.with_borrow(Clone::clone);
    slice.is_none_or(|slice| slice.inline || slice.shared.must_yield(&slice))
}
