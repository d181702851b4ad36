//! What the compute allowance of the owner means for one sandbox.

use std::time::Duration;

use sandbox_core::lifecycle::{Lifecycle, Request, State};
use sandbox_core::{Result, Timestamp};

use super::run::Driver;
use crate::events::EventKind;
use crate::meter::Reading;
use crate::owners::{COMPUTE_SECONDS, Month};

impl Driver {
    /// Tells the meter what was written down, and whether time runs on.
    pub(super) fn count_time(&self, written: &[(Month, u64)], life: &Lifecycle) {
        let now = self.core.clock.now();
        let unwritten = life.usage(now).saturating_sub(self.accounted());
        let counts = life.usage(now.plus(Duration::from_millis(1))) > life.usage(now);
        let millis = u64::try_from(unwritten.as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp::from_millis(now.as_millis().saturating_sub(millis));
        let reading = Reading {
            owner: &self.entry.owner,
            sandbox: self.entry.id(),
            written,
            since: (counts && self.matched).then_some(since),
        };
        self.core.meter.read(&reading, now);
    }

    fn accounted(&self) -> Duration {
        Duration::from_millis(self.accounted_ms)
    }

    /// Refuses to let a sandbox run again whose owner has nothing left.
    pub(super) fn check_allowance(&self, request: Request) -> Result<()> {
        let runs_again = match request {
            Request::Resume | Request::Activity => matches!(
                self.life.state(),
                State::Pausing | State::Paused | State::Resuming
            ),
            Request::Pause
            | Request::Destroy
            | Request::KeepAlive { .. }
            | Request::SetTimeout { .. } => false,
        };
        match runs_again {
            true => self
                .core
                .meter
                .check(&self.entry.owner, self.core.clock.now()),
            false => Ok(()),
        }
    }

    /// Stops a sandbox that runs: its owner has used up what it may.
    pub(super) async fn used_up(&mut self, why: String) {
        let runs = matches!(self.life.state(), State::Running | State::Resuming);
        if !runs || self.life.target() != State::Running {
            return;
        }
        let request = match self.entry.slot.runtime.capabilities().pause {
            true => Request::Pause,
            false => Request::Destroy,
        };
        if let Err(error) = self.check_usable(request) {
            tracing::debug!(%error, sandbox = %self.entry.id(), "it is stopped later");
            return;
        }
        self.publish(EventKind::LimitExceeded {
            field: COMPUTE_SECONDS.to_owned(),
            message: why,
            pid: None,
        })
        .await;
        self.note(request.into()).await;
    }
}
