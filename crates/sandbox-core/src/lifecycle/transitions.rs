//! The steps from one state to the next, each with the action and the clocks that belong to it.

use super::backoff;
use super::phase::{Cleanup, CleanupStep, Phase, Remains, Rest};
use super::{Action, ActionError, ActionId, ActionKind, Failure, Lifecycle, OnTimeout, State};
use crate::Timestamp;

impl Lifecycle {
    fn enter(&mut self, phase: Phase, now: Timestamp) {
        if phase.state() != self.phase.state() {
            self.state_since = now;
            self.meter.switch(phase.state() == State::Running, now);
        }
        self.phase = phase;
    }

    pub(super) fn issue(&mut self, kind: ActionKind) -> Action {
        // Reaching the end of a u64 would take longer than any machine runs.
        self.last_action = self.last_action.saturating_add(1);
        Action {
            id: ActionId::new(self.last_action),
            kind,
        }
    }

    /// The sandbox runs: because it was created or resumed, or never stopped.
    pub(super) fn runs(&mut self, wanted: Rest, now: Timestamp) -> Vec<Action> {
        match wanted {
            Rest::Paused => self.start_pause(now),
            Rest::Running => {
                self.begin_use(now);
                self.enter(Phase::Running, now);
                Vec::new()
            }
        }
    }

    /// The sandbox is paused.
    pub(super) fn is_paused(&mut self, wanted: Rest, now: Timestamp) -> Vec<Action> {
        self.pause_failures = None;
        match wanted {
            Rest::Running => self.start_resume(now),
            Rest::Paused => {
                self.hold_clock(now);
                self.enter(Phase::Paused, now);
                Vec::new()
            }
        }
    }

    /// Starts the clocks of a sandbox that someone begins to use.
    fn begin_use(&mut self, now: Timestamp) {
        self.last_activity = now;
        let Some((expiry, ephemeral)) = self.expiry.as_mut().zip(self.policy.ephemeral()) else {
            return;
        };
        expiry.start(now);
        match ephemeral.on_timeout {
            // Whoever resumes a sandbox that its timeout paused wants it for another while.
            OnTimeout::Pause if expiry.left(now).is_zero() => {
                expiry.set(ephemeral.time_to_live, now);
            }
            OnTimeout::Pause | OnTimeout::Kill => {}
        }
    }

    /// Stops the clock of the time to live of a sandbox that does not run, or lets it run on.
    fn hold_clock(&mut self, now: Timestamp) {
        if let Some((expiry, ephemeral)) = self.expiry.as_mut().zip(self.policy.ephemeral()) {
            if ephemeral.pause_stops_clock {
                expiry.stop(now);
            } else {
                expiry.start(now);
            }
        }
    }

    pub(super) fn start_pause(&mut self, now: Timestamp) -> Vec<Action> {
        self.hold_clock(now);
        let action = self.issue(ActionKind::Pause);
        self.enter(
            Phase::Pausing {
                action: action.id,
                wanted: Rest::Paused,
            },
            now,
        );
        vec![action]
    }

    pub(super) fn pause_failed(&mut self, wanted: Rest, error: &ActionError, now: Timestamp) {
        match wanted {
            Rest::Running => self.begin_use(now),
            // Its clocks go on from where they were: a timer that is due asks again.
            Rest::Paused => {
                if let Some(expiry) = &mut self.expiry {
                    expiry.start(now);
                }
            }
        }
        let count = self
            .pause_failures
            .as_ref()
            .map_or(0, |failures| failures.count)
            .saturating_add(1);
        self.pause_failures = Some(backoff::PauseFailures {
            count,
            retry_at: backoff::retry_at(count, error, now),
        });
        self.enter(Phase::Running, now);
    }

    pub(super) fn start_resume(&mut self, now: Timestamp) -> Vec<Action> {
        let action = self.issue(ActionKind::Resume);
        self.enter(
            Phase::Resuming {
                action: action.id,
                wanted: Rest::Running,
            },
            now,
        );
        vec![action]
    }

    pub(super) fn resume_failed(&mut self, now: Timestamp) {
        self.enter(Phase::Paused, now);
    }

    /// Destroys it, unless that is done or on its way.
    pub(super) fn start_destroy(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Destroying { .. } | Phase::Destroyed => Vec::new(),
            // The Destroy on its way, or its next try, does for both.
            Phase::Failed {
                remains: Remains::Releasing(cleanup),
            } => {
                let cleanup = cleanup.clone();
                self.enter(Phase::Destroying { cleanup }, now);
                Vec::new()
            }
            // Even when everything was released: a creation that was given up may have
            // finished on the other side since.
            Phase::Failed {
                remains: Remains::Kept | Remains::Released,
            }
            | Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. } => {
                let action = self.issue(ActionKind::Destroy);
                let cleanup = Cleanup::issued(action.id, 0);
                self.enter(Phase::Destroying { cleanup }, now);
                vec![action]
            }
        }
    }

    /// Issues the pending Destroy again under a new id.
    pub(super) fn retry_destroy(&mut self) -> Vec<Action> {
        let Some(failures) = self.phase.cleanup().map(|cleanup| cleanup.failures) else {
            return Vec::new();
        };
        let action = self.issue(ActionKind::Destroy);
        if let Some(cleanup) = self.phase.cleanup_mut() {
            *cleanup = Cleanup::issued(action.id, failures);
        }
        vec![action]
    }

    pub(super) fn destroy_failed(&mut self, error: &ActionError, now: Timestamp) {
        if let Some(cleanup) = self.phase.cleanup_mut() {
            cleanup.failures = cleanup.failures.saturating_add(1);
            cleanup.step = CleanupStep::RetryAt {
                at: backoff::retry_at(cleanup.failures, error, now),
            };
        }
    }

    pub(super) fn is_destroyed(&mut self, now: Timestamp) {
        self.enter(Phase::Destroyed, now);
    }

    /// It failed, and what is left of it is removed.
    pub(super) fn fail(&mut self, failure: Failure, now: Timestamp) -> Vec<Action> {
        self.record(failure, now);
        self.start_release(now)
    }

    /// It ended by itself. A persistent sandbox keeps its files, because they are its purpose.
    pub(super) fn ended(&mut self, failure: Failure, now: Timestamp) -> Vec<Action> {
        if self.policy.ephemeral().is_some() {
            return self.fail(failure, now);
        }
        self.record(failure, now);
        let remains = Remains::Kept;
        self.enter(Phase::Failed { remains }, now);
        Vec::new()
    }

    fn record(&mut self, failure: Failure, now: Timestamp) {
        self.failure = Some(failure);
        if let Some((expiry, ephemeral)) = self.expiry.as_mut().zip(self.policy.ephemeral()) {
            expiry.start(now);
            expiry.set(ephemeral.time_to_live, now);
        }
    }

    /// Removes what a failed sandbox holds; it stays failed.
    pub(super) fn start_release(&mut self, now: Timestamp) -> Vec<Action> {
        let action = self.issue(ActionKind::Destroy);
        let remains = Remains::Releasing(Cleanup::issued(action.id, 0));
        self.enter(Phase::Failed { remains }, now);
        vec![action]
    }

    pub(super) fn is_released(&mut self, now: Timestamp) {
        let remains = Remains::Released;
        self.enter(Phase::Failed { remains }, now);
    }

    /// A sandbox that had ended was found alive: it is what it was before.
    pub(super) fn revive(&mut self, found: Rest, now: Timestamp) -> Vec<Action> {
        self.failure = None;
        match found {
            Rest::Running => self.runs(found, now),
            Rest::Paused => self.is_paused(found, now),
        }
    }
}
