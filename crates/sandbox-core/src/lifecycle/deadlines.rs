//! When time alone changes something.

use super::phase::Phase;
use super::{Action, Lifecycle, Mode, OnTimeout};
use crate::Timestamp;

impl Lifecycle {
    /// When to send the next [`Tick`](super::Input::Tick). `None` while only a request, an
    /// outcome or an observation can change anything. It may be in the past: then now.
    ///
    /// A tick at the deadline does what was due; the deadline after it is later, or `None`.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Creating { .. } | Phase::Destroyed => None,
            Phase::Running => self.running_deadline(),
            Phase::Pausing { .. } | Phase::Paused | Phase::Resuming { .. } => self.kill_deadline(),
            Phase::Destroying { cleanup } => cleanup.retry_at(),
            Phase::Failed { remains } => {
                let retry = remains.cleanup().and_then(|cleanup| cleanup.retry_at());
                earlier(retry, self.expires_at())
            }
        }
    }

    fn running_deadline(&self) -> Option<Timestamp> {
        match self.policy.mode() {
            Mode::Ephemeral(ephemeral) => match ephemeral.on_timeout {
                OnTimeout::Kill => self.expires_at(),
                OnTimeout::Pause => self.expires_at().map(|at| self.not_before_retry(at)),
            },
            Mode::Persistent(persistent) => {
                let idle = self.last_activity.plus(persistent.idle_timeout);
                Some(self.not_before_retry(idle))
            }
        }
    }

    /// A timer waits with its pause after one that failed.
    fn not_before_retry(&self, at: Timestamp) -> Timestamp {
        match &self.pause_failures {
            Some(failures) => at.max(failures.retry_at),
            None => at,
        }
    }

    /// The end of a time to live that also ends a sandbox that does not run.
    fn kill_deadline(&self) -> Option<Timestamp> {
        match self.policy.ephemeral()?.on_timeout {
            OnTimeout::Kill => self.expires_at(),
            OnTimeout::Pause => None,
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        if self.next_deadline().is_none_or(|at| at > now) {
            return Vec::new();
        }
        match &self.phase {
            Phase::Creating { .. } | Phase::Destroyed => Vec::new(),
            Phase::Running => match self.kill_deadline() {
                Some(_) => self.start_destroy(now),
                None => self.start_pause(now),
            },
            Phase::Pausing { .. } | Phase::Paused | Phase::Resuming { .. } => {
                self.start_destroy(now)
            }
            Phase::Destroying { .. } => self.retry_destroy(),
            Phase::Failed { .. } => self.tick_failed(now),
        }
    }

    /// Both the next try and the end may be due; a try that was just issued does for both.
    fn tick_failed(&mut self, now: Timestamp) -> Vec<Action> {
        let retry = self.phase.cleanup().and_then(|cleanup| cleanup.retry_at());
        let mut actions = Vec::new();
        if retry.is_some_and(|at| at <= now) {
            actions.extend(self.retry_destroy());
        }
        if self.expires_at().is_some_and(|at| at <= now) {
            actions.extend(self.start_destroy(now));
        }
        actions
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
