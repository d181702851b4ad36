//! Calls about the process itself.

use std::future::poll_fn;
use std::task::Poll;

use sandbox_core::Signal;

use crate::kernel::{Errno, Process, Result};

/// Preview 1's signal numbers from 16 on, as Linux numbers them; below they are the same.
const SIGNALS: [i32; 15] = [17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];

/// The signal of `proc_raise`; `None` for the one that does nothing.
///
/// # Errors
/// `INVAL` for a number that there is not.
pub(super) fn signal(number: u32) -> Result<Option<Signal>> {
    let linux = match number {
        0 => return Ok(None),
        1..=15 => number as i32,
        16.. => *SIGNALS.get(number as usize - 16).ok_or(Errno::INVAL)?,
    };
    Signal::new(linux).map(Some).map_err(|_| Errno::INVAL)
}

/// Lets others run.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Stands still when the process is to end or stop, so that it does nothing more on the way.
pub(crate) async fn die_if_doomed(process: &Process) {
    if process.must_yield() {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_linuxs_numbers() {
        let number = |wasi| signal(wasi).map(|signal| signal.map(Signal::number));
        assert_eq!(number(0), Ok(None));
        assert_eq!(number(15), Ok(Some(15)), "TERM");
        assert_eq!(number(16), Ok(Some(17)), "CHLD");
        assert_eq!(number(30), Ok(Some(31)), "SYS");
        assert_eq!(number(31), Err(Errno::INVAL));
        assert_eq!(number(u32::MAX), Err(Errno::INVAL));
    }
}
