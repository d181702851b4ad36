//! Time limits of commands, which stand still while the sandbox is paused.

use std::sync::Arc;
use std::time::Duration;

use sandbox_core::{KillCause, Signal};

use super::{Kernel, Proc};

impl Kernel {
    /// Kills everything that comes from `proc` once it has run for `limit`.
    pub(super) async fn enforce(self: Arc<Self>, proc: Arc<Proc>, limit: Duration) {
        let mut frozen = self.frozen_seen.subscribe();
        let mut exit = proc.watch_exit();
        let mut left = limit;
        loop {
            if *frozen.borrow_and_update() {
                tokio::select! {
                    _ = exit.wait_for(Option::is_some) => return,
                    _ = frozen.changed() => continue,
                }
            }
            let start = self.world.time.mark();
            tokio::select! {
                biased;
                _ = exit.wait_for(Option::is_some) => return,
                _ = frozen.changed() => {
                    left = left.saturating_sub(self.world.time.elapsed(start));
                }
                () = self.world.time.sleep(left) => break,
            }
        }
        self.signal_descent(proc.pid, Signal::KILL, Some(KillCause::Timeout));
    }
}
