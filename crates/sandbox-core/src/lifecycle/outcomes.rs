//! What the end of an action means.

use super::phase::{Phase, Rest};
use super::{Action, Failure, Lifecycle, Outcome};
use crate::Timestamp;

impl Lifecycle {
    pub(super) fn outcome(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Action> {
        let awaited = self.outstanding().map(|action| action.id);
        if awaited != Some(outcome.action) {
            // A newer action has replaced it, so what it did no longer matters.
            return Vec::new();
        }
        match outcome.result {
            Ok(()) => self.succeeded(now),
            Err(error) => self.failed(error, now),
        }
    }

    fn succeeded(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Creating { wanted, .. } | Phase::Resuming { wanted, .. } => {
                let wanted: Rest = *wanted;
                self.runs(wanted, now)
            }
            Phase::Pausing { wanted, .. } => {
                let wanted: Rest = *wanted;
                self.is_paused(wanted, now)
            }
            Phase::Destroying { .. } => {
                self.is_destroyed(now);
                Vec::new()
            }
            Phase::Failed { .. } => {
                self.is_released(now);
                Vec::new()
            }
            // Nothing is awaited in these, so no outcome gets here.
            Phase::Running | Phase::Paused | Phase::Destroyed => Vec::new(),
        }
    }

    fn failed(&mut self, error: super::ActionError, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Creating { .. } => return self.fail(Failure::CreateFailed { error }, now),
            Phase::Pausing { wanted, .. } => {
                let wanted: Rest = *wanted;
                self.pause_failed(wanted, &error, now);
            }
            Phase::Resuming { .. } => self.resume_failed(now),
            Phase::Destroying { .. } | Phase::Failed { .. } => self.destroy_failed(&error, now),
            // Nothing is awaited in these, so no outcome gets here.
            Phase::Running | Phase::Paused | Phase::Destroyed => {}
        }
        Vec::new()
    }
}
