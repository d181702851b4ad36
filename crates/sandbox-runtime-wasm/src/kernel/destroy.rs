//! Pausing, resuming and taking apart a whole sandbox.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use sandbox_core::Signal;

use super::machine::Machine;

impl Machine {
    /// Stops every process where it is, and every deadline; returns when nothing runs any more.
    /// Idempotent.
    #[cfg(test)]
    pub(crate) async fn pause(&self) {
        self.group.pause();
        self.group.quiet().await;
    }

    /// Goes on after [`pause`](Self::pause). Idempotent.
    #[cfg(test)]
    pub(crate) fn resume(&self) {
        if !self.destroyed.load(Ordering::Relaxed) {
            self.group.resume();
        }
    }

    /// Ends every process, wherever it is and also while paused, without waiting for it. Nothing
    /// starts any more. Idempotent.
    pub(crate) fn kill_all(self: &Arc<Self>) {
        {
            let table = self.table.lock();
            self.destroyed.store(true, Ordering::Relaxed);
            for entry in table.iter() {
                entry.process.kill(Signal::KILL, None);
            }
        }
        self.group.release();
    }

    /// As [`kill_all`](Self::kill_all); returns when none is left and their memory is given back.
    /// Idempotent.
    pub(crate) async fn destroy(self: &Arc<Self>) {
        self.kill_all();
        poll_fn(|cx| {
            let table = self.table.lock();
            if table.len() == 0 {
                return Poll::Ready(());
            }
            self.empty.lock().add(cx);
            Poll::Pending
        })
        .await;
        if let Some(network) = &self.network {
            network.shut_down();
        }
    }
}
