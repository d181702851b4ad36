//! What the runtime's own news means in each state.

use super::phase::{Phase, Remains, Rest};
use super::{Action, ActionKind, Failure, Lifecycle, Observation};
use crate::Timestamp;

impl Lifecycle {
    pub(super) fn observation(&mut self, seen: Observation, now: Timestamp) -> Vec<Action> {
        match seen {
            Observation::Exited { code } => self.found_ended(Failure::Exited { code }, now),
            Observation::OutOfMemory => self.found_ended(Failure::OutOfMemory, now),
            Observation::FoundRunning => self.found_running(now),
            Observation::FoundPaused => self.found_paused(now),
            Observation::FoundBroken => self.found_broken(now),
            Observation::Missing => self.missing(now),
        }
    }

    fn found_ended(&mut self, failure: Failure, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            // Nobody has put anything into it yet.
            Phase::Creating { .. } => self.fail(failure, now),
            Phase::Running | Phase::Pausing { .. } | Phase::Paused | Phase::Resuming { .. } => {
                self.ended(failure, now)
            }
            Phase::Destroying { .. } | Phase::Destroyed | Phase::Failed { .. } => Vec::new(),
        }
    }

    fn found_running(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Running => Vec::new(),
            Phase::Creating { wanted, .. }
            | Phase::Pausing { wanted, .. }
            | Phase::Resuming { wanted, .. } => {
                let wanted = *wanted;
                self.runs(wanted, now)
            }
            Phase::Paused => self.start_pause(now),
            Phase::Destroying { .. } | Phase::Destroyed | Phase::Failed { .. } => {
                self.found_after_the_end(Rest::Running, now)
            }
        }
    }

    fn found_paused(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Running => self.start_resume(now),
            Phase::Creating { wanted, .. }
            | Phase::Pausing { wanted, .. }
            | Phase::Resuming { wanted, .. } => {
                let wanted = *wanted;
                self.is_paused(wanted, now)
            }
            Phase::Paused => Vec::new(),
            Phase::Destroying { .. } | Phase::Destroyed | Phase::Failed { .. } => {
                self.found_after_the_end(Rest::Paused, now)
            }
        }
    }

    fn found_broken(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. } => self.found_ended(Failure::Broken, now),
            Phase::Destroying { .. } | Phase::Destroyed | Phase::Failed { .. } => {
                self.release_again(now)
            }
        }
    }

    fn found_after_the_end(&mut self, found: Rest, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            Phase::Failed {
                remains: Remains::Kept,
            } => self.revive(found, now),
            Phase::Failed {
                remains: Remains::Releasing(_) | Remains::Released,
            }
            | Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. }
            | Phase::Destroying { .. }
            | Phase::Destroyed => self.release_again(now),
        }
    }

    /// Removes what was found of a sandbox that should hold nothing any more.
    fn release_again(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            // Final, so nothing awaits the outcome; the next restart would find it again.
            Phase::Destroyed => vec![self.issue(ActionKind::Destroy)],
            Phase::Destroying { .. }
            | Phase::Failed {
                remains: Remains::Releasing(_),
            } => self.retry_destroy(),
            Phase::Failed {
                remains: Remains::Released,
            } => self.start_release(now),
            Phase::Failed {
                remains: Remains::Kept,
            }
            | Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. } => Vec::new(),
        }
    }

    fn missing(&mut self, now: Timestamp) -> Vec<Action> {
        match &self.phase {
            // A Destroy all the same: parts of it that are not the sandbox may be left.
            Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. } => self.fail(Failure::Missing, now),
            Phase::Destroying { .. } => {
                self.is_destroyed(now);
                Vec::new()
            }
            Phase::Failed { remains } => match remains {
                Remains::Kept => self.start_release(now),
                Remains::Releasing(_) => {
                    self.is_released(now);
                    Vec::new()
                }
                Remains::Released => Vec::new(),
            },
            Phase::Destroyed => Vec::new(),
        }
    }
}
