//! What each request means in each state.

use std::time::Duration;

use super::phase::{Phase, Rest};
use super::{Action, Ephemeral, Lifecycle, Refused, RefusedReason, Request, millis};
use crate::Timestamp;

/// A time to live of zero would look like one that ran out while the clock stood still.
const MIN_TIME_TO_LIVE: Duration = Duration::from_millis(1);

type Verdict = Result<Vec<Action>, RefusedReason>;

impl Lifecycle {
    pub(super) fn request(
        &mut self,
        request: Request,
        now: Timestamp,
    ) -> Result<Vec<Action>, Refused> {
        let verdict = match request {
            Request::Pause => self.pause(now),
            Request::Resume => self.resume(now),
            Request::Destroy => Ok(self.start_destroy(now)),
            Request::KeepAlive { time_to_live } => self.keep_alive(time_to_live, now),
            Request::SetTimeout { time_to_live } => self.set_timeout(time_to_live, now),
            Request::Activity => self.activity(now),
        };
        verdict.map_err(|reason| Refused {
            state: self.state(),
            input: request.name(),
            reason,
        })
    }

    fn pause(&mut self, now: Timestamp) -> Verdict {
        match &mut self.phase {
            Phase::Running => Ok(self.start_pause(now)),
            Phase::Creating { wanted, .. }
            | Phase::Pausing { wanted, .. }
            | Phase::Resuming { wanted, .. } => {
                *wanted = Rest::Paused;
                Ok(Vec::new())
            }
            Phase::Paused => Ok(Vec::new()),
            Phase::Destroying { .. } => Err(RefusedReason::Destroying),
            Phase::Destroyed => Err(RefusedReason::Destroyed),
            Phase::Failed { .. } => Err(RefusedReason::Failed),
        }
    }

    fn resume(&mut self, now: Timestamp) -> Verdict {
        match &mut self.phase {
            Phase::Running => {
                self.last_activity = now;
                Ok(Vec::new())
            }
            Phase::Creating { wanted, .. }
            | Phase::Pausing { wanted, .. }
            | Phase::Resuming { wanted, .. } => {
                *wanted = Rest::Running;
                self.last_activity = now;
                Ok(Vec::new())
            }
            Phase::Paused => {
                self.last_activity = now;
                Ok(self.start_resume(now))
            }
            Phase::Destroying { .. } => Err(RefusedReason::Destroying),
            Phase::Destroyed => Err(RefusedReason::Destroyed),
            Phase::Failed { .. } => Err(RefusedReason::Failed),
        }
    }

    fn activity(&mut self, now: Timestamp) -> Verdict {
        match &self.phase {
            Phase::Running
            | Phase::Creating {
                wanted: Rest::Running,
                ..
            }
            | Phase::Pausing {
                wanted: Rest::Running,
                ..
            }
            | Phase::Resuming {
                wanted: Rest::Running,
                ..
            } => {
                self.last_activity = now;
                Ok(Vec::new())
            }
            Phase::Paused
            | Phase::Creating {
                wanted: Rest::Paused,
                ..
            }
            | Phase::Pausing {
                wanted: Rest::Paused,
                ..
            }
            | Phase::Resuming {
                wanted: Rest::Paused,
                ..
            } => {
                if self.policy.auto_wake() {
                    self.resume(now)
                } else {
                    Err(RefusedReason::Paused)
                }
            }
            Phase::Destroying { .. } => Err(RefusedReason::Destroying),
            Phase::Destroyed => Err(RefusedReason::Destroyed),
            Phase::Failed { .. } => Err(RefusedReason::Failed),
        }
    }

    fn keep_alive(&mut self, time_to_live: Duration, now: Timestamp) -> Verdict {
        let ephemeral = self.ephemeral_alive()?;
        let time_to_live = clamped(time_to_live, ephemeral);
        match &self.phase {
            Phase::Creating { .. } | Phase::Running | Phase::Resuming { .. } => {
                if let Some(expiry) = &mut self.expiry {
                    expiry.extend(time_to_live, now);
                }
                Ok(Vec::new())
            }
            Phase::Pausing { .. } | Phase::Paused => Err(RefusedReason::Paused),
            Phase::Destroying { .. } => Err(RefusedReason::Destroying),
            Phase::Destroyed => Err(RefusedReason::Destroyed),
            Phase::Failed { .. } => Err(RefusedReason::Failed),
        }
    }

    fn set_timeout(&mut self, time_to_live: Duration, now: Timestamp) -> Verdict {
        let ephemeral = self.ephemeral_alive()?;
        let time_to_live = clamped(time_to_live, ephemeral);
        if let Some(expiry) = &mut self.expiry {
            expiry.set(time_to_live, now);
        }
        Ok(Vec::new())
    }

    /// The policy of an ephemeral sandbox that has not ended.
    fn ephemeral_alive(&self) -> Result<&Ephemeral, RefusedReason> {
        match &self.phase {
            Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. } => self.policy.ephemeral().ok_or(RefusedReason::NotEphemeral),
            Phase::Destroying { .. } => Err(RefusedReason::Destroying),
            Phase::Destroyed => Err(RefusedReason::Destroyed),
            Phase::Failed { .. } => Err(RefusedReason::Failed),
        }
    }
}

fn clamped(time_to_live: Duration, ephemeral: &Ephemeral) -> Duration {
    millis::whole(time_to_live).clamp(MIN_TIME_TO_LIVE, ephemeral.max_time_to_live)
}
