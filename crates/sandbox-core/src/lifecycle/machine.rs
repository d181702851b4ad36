//! The machine: what it remembers, how inputs reach the rules, and what it shows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::{MAX_RETRY_DELAY, PauseFailures};
use super::expiry::Expiry;
use super::phase::{CleanupStep, Phase, Remains, Rest};
use super::usage::Meter;
use super::{
    Action, ActionId, ActionKind, Failure, Input, LifecyclePolicy, Mode, Observation, Readiness,
    Refused, State,
};
use crate::Timestamp;

/// The life of one sandbox. The [module](super) says how it behaves and what its driver owes.
///
/// It is serialisable, and goes on exactly where it was when it is read back:
///
/// ```
/// use sandbox_core::Timestamp;
/// use sandbox_core::lifecycle::{Lifecycle, LifecyclePolicy, Observation, State};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (life, _lost) = Lifecycle::new(LifecyclePolicy::default(), Timestamp::from_millis(1_000));
/// let stored = serde_json::to_string(&life)?;
///
/// // The process died while the sandbox was being created; the next one finds it running.
/// let mut life: Lifecycle = serde_json::from_str(&stored)?;
/// life.handle(Observation::FoundRunning, Timestamp::from_millis(9_000))?;
/// assert_eq!(life.state(), State::Running);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    pub(super) policy: LifecyclePolicy,
    pub(super) phase: Phase,
    pub(super) created_at: Timestamp,
    pub(super) state_since: Timestamp,
    pub(super) last_activity: Timestamp,
    /// Set when the policy is ephemeral.
    pub(super) expiry: Option<Expiry>,
    pub(super) meter: Meter,
    pub(super) pause_failures: Option<PauseFailures>,
    pub(super) failure: Option<Failure>,
    pub(super) last_action: u64,
}

impl Lifecycle {
    /// A sandbox that is to be made, and the [`Create`](ActionKind::Create) that makes it.
    pub fn new(policy: LifecyclePolicy, now: Timestamp) -> (Self, Vec<Action>) {
        let create = Action {
            id: ActionId::new(1),
            kind: ActionKind::Create,
        };
        let expiry = policy.ephemeral().map(|ephemeral| Expiry::Stopped {
            left: ephemeral.time_to_live,
        });
        let lifecycle = Self {
            policy,
            phase: Phase::Creating {
                action: create.id,
                wanted: Rest::Running,
            },
            created_at: now,
            state_since: now,
            last_activity: now,
            expiry,
            meter: Meter::default(),
            pause_failures: None,
            failure: None,
            last_action: create.id.as_u64(),
        };
        (lifecycle, vec![create])
    }

    /// Takes in what happened at `now` and says what to do: nothing, or one action.
    ///
    /// Outcomes, observations and ticks are always taken; one that no longer matters changes
    /// nothing. `now` may be earlier than in the call before.
    ///
    /// # Errors
    ///
    /// [`Refused`] when a request does not fit the state. Nothing but the passing of time is
    /// then recorded.
    pub fn handle(
        &mut self,
        input: impl Into<Input>,
        now: Timestamp,
    ) -> Result<Vec<Action>, Refused> {
        let input = input.into();
        self.observe_time(&input, now);
        match input {
            Input::Request(request) => self.request(request, now),
            Input::Outcome(outcome) => Ok(self.outcome(outcome, now)),
            Input::Observation(observation) => Ok(self.observation(observation, now)),
            Input::Tick => Ok(self.tick(now)),
        }
    }

    /// Counts usage, and keeps a clock that was set back from pushing deadlines out of reach.
    fn observe_time(&mut self, input: &Input, now: Timestamp) {
        match input {
            // Nobody saw it run, so nobody pays for the time the process was down.
            Input::Observation(
                Observation::Missing | Observation::FoundPaused | Observation::FoundBroken,
            ) => self.meter.skip(now),
            Input::Observation(
                Observation::Exited { .. } | Observation::OutOfMemory | Observation::FoundRunning,
            )
            | Input::Request(_)
            | Input::Outcome(_)
            | Input::Tick => self.meter.count(now),
        }
        self.last_activity = self.last_activity.min(now);
        if let (Some(expiry), Some(ephemeral)) = (&mut self.expiry, self.policy.ephemeral()) {
            expiry.cap(ephemeral.max_time_to_live, now);
        }
        let latest_retry = now.plus(MAX_RETRY_DELAY);
        if let Some(failures) = &mut self.pause_failures {
            failures.retry_at = failures.retry_at.min(latest_retry);
        }
        if let Some(cleanup) = self.phase.cleanup_mut()
            && let CleanupStep::RetryAt { at } = &mut cleanup.step
        {
            *at = latest_retry.min(*at);
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// Where it comes to rest if every action succeeds and nothing else is asked:
    /// `Running`, `Paused`, `Destroyed` or `Failed`.
    pub fn target(&self) -> State {
        self.phase.target()
    }

    /// Whether it can be used now, soon, or not.
    pub fn readiness(&self) -> Readiness {
        self.phase.readiness()
    }

    /// The action whose outcome is awaited.
    pub fn outstanding(&self) -> Option<Action> {
        self.phase.outstanding()
    }

    /// Whether the runtime may still hold something of it: false only once it is destroyed, or
    /// has failed and what it left was removed.
    pub fn holds_resources(&self) -> bool {
        match &self.phase {
            Phase::Destroyed => false,
            Phase::Failed { remains } => match remains {
                Remains::Kept | Remains::Releasing(_) => true,
                Remains::Released => false,
            },
            Phase::Creating { .. }
            | Phase::Running
            | Phase::Pausing { .. }
            | Phase::Paused
            | Phase::Resuming { .. }
            | Phase::Destroying { .. } => true,
        }
    }

    /// Why it failed; kept when it is destroyed afterwards.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The policy it was made with.
    pub fn policy(&self) -> &LifecyclePolicy {
        &self.policy
    }

    /// When it was asked for.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When the current state began.
    pub fn state_since(&self) -> Timestamp {
        self.state_since
    }

    /// When it was last used, resumed or first ran.
    pub fn last_activity(&self) -> Timestamp {
        self.last_activity
    }

    /// When its time to live ends. `None` for a persistent sandbox, before it first runs, and
    /// while the clock stands still; [`time_left`](Self::time_left) knows more.
    ///
    /// A sandbox that its timeout paused keeps the time at which that happened until it is
    /// resumed.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expiry.as_ref().and_then(Expiry::at)
    }

    /// What remains of its time to live, whether or not the clock stands still. `None` for a
    /// persistent sandbox.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        self.expiry.as_ref().map(|expiry| expiry.left(now))
    }

    /// How long without activity until it is paused. `None` for an ephemeral sandbox.
    pub fn idle_timeout(&self) -> Option<Duration> {
        match self.policy.mode() {
            Mode::Ephemeral(_) => None,
            Mode::Persistent(persistent) => Some(persistent.idle_timeout),
        }
    }

    /// How long it has been [`Running`](State::Running), to the millisecond, at `now`.
    ///
    /// Never less than at the last [`handle`](Self::handle), whatever `now` is.
    pub fn usage(&self, now: Timestamp) -> Duration {
        self.meter.total(now)
    }

    /// [`usage`](Self::usage) in seconds, the sum rounded up: what is billed.
    pub fn usage_seconds(&self, now: Timestamp) -> u64 {
        let usage = self.usage(now);
        usage.as_secs() + u64::from(usage.subsec_millis() > 0)
    }
}
