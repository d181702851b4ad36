//! A machine whose every step is checked against what must always hold.

use sandbox_core::Timestamp;
use sandbox_core::lifecycle::{
    Action, ActionId, ActionKind, Input, Lifecycle, LifecyclePolicy, Mode, Observation, Refused,
    Request, State,
};

/// The machine, and a second account of what it should have counted.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) life: Lifecycle,
    last_now: Timestamp,
    ran_ms: u64,
    last_usage_ms: u128,
    last_action: Option<ActionId>,
}

impl Checked {
    pub(crate) fn new(policy: LifecyclePolicy, now: Timestamp) -> (Self, Vec<Action>) {
        let (life, actions) = Lifecycle::new(policy, now);
        assert_eq!(kinds(&actions), [ActionKind::Create]);
        let checked = Self {
            life,
            last_now: now,
            ran_ms: 0,
            last_usage_ms: 0,
            last_action: Some(actions[0].id),
        };
        checked.check_work(&actions);
        (checked, actions)
    }

    pub(crate) fn handle(
        &mut self,
        input: impl Into<Input>,
        now: Timestamp,
    ) -> Result<Vec<Action>, Refused> {
        let input = input.into();
        let before = self.life.clone();
        let stored = serde_json::to_string(&before).unwrap();
        let mut twin: Lifecycle = serde_json::from_str(&stored).unwrap();
        assert_eq!(twin, before, "what is stored is what is read back");

        let result = self.life.handle(input.clone(), now);
        assert_eq!(twin.handle(input.clone(), now), result);
        assert_eq!(twin, self.life, "a machine read back goes on identically");

        let actions = result.as_deref().unwrap_or_default();
        self.check_step(&before, &input, &result);
        self.check_work(actions);
        self.check_ids(actions);
        self.check_usage(&before, &input, now);
        self.check_deadlines(&input, now);
        result
    }

    fn check_step(&self, before: &Lifecycle, input: &Input, result: &Result<Vec<Action>, Refused>) {
        let life = &self.life;
        let same = (life.state(), life.target(), life.outstanding())
            == (before.state(), before.target(), before.outstanding());
        if before.state() == State::Destroyed {
            assert_eq!(life.state(), State::Destroyed, "destroyed is final");
        }
        match input {
            Input::Request(Request::Destroy) => {
                assert!(result.is_ok(), "destroy is accepted everywhere");
                assert_eq!(life.target(), State::Destroyed);
            }
            Input::Request(_) => {
                assert!(result.is_ok() || same, "a refusal changes nothing");
            }
            Input::Outcome(outcome) => {
                let awaited = before.outstanding().map(|action| action.id);
                let late = awaited != Some(outcome.action);
                assert!(!late || same, "a late outcome changes nothing");
                assert!(result.is_ok());
            }
            Input::Observation(_) | Input::Tick => assert!(result.is_ok()),
        }
    }

    /// Whatever is not at rest has one action on its way, or a deadline for its next try.
    fn check_work(&self, actions: &[Action]) {
        let life = &self.life;
        let outstanding = life.outstanding().map(|action| action.kind);
        let destroying = outstanding == Some(ActionKind::Destroy);
        match life.state() {
            State::Creating => assert_eq!(outstanding, Some(ActionKind::Create)),
            State::Pausing => assert_eq!(outstanding, Some(ActionKind::Pause)),
            State::Resuming => assert_eq!(outstanding, Some(ActionKind::Resume)),
            State::Destroying => assert!(destroying != life.next_deadline().is_some()),
            State::Running | State::Paused | State::Destroyed => assert_eq!(outstanding, None),
            State::Failed => {
                assert!(outstanding.is_none() || destroying);
                assert!(life.failure().is_some());
                if ephemeral(life) {
                    assert!(life.next_deadline().is_some(), "even its record ends");
                }
            }
        }
        match actions {
            [] => {}
            [action] if life.state() == State::Destroyed => {
                assert_eq!(action.kind, ActionKind::Destroy);
            }
            [action] => assert_eq!(life.outstanding(), Some(*action)),
            more => panic!("more than one action at a time: {more:?}"),
        }
    }

    fn check_ids(&mut self, actions: &[Action]) {
        for action in actions {
            assert!(Some(action.id) > self.last_action, "ids grow");
            self.last_action = Some(action.id);
        }
    }

    fn check_usage(&mut self, before: &Lifecycle, input: &Input, now: Timestamp) {
        let unseen = matches!(
            input,
            Input::Observation(
                Observation::Missing | Observation::FoundPaused | Observation::FoundBroken
            )
        );
        if before.state() == State::Running && !unseen {
            let passed = now.as_millis().saturating_sub(self.last_now.as_millis());
            self.ran_ms = self.ran_ms.saturating_add(passed);
        }
        self.last_now = now;
        let usage = self.life.usage(now).as_millis();
        assert_eq!(usage, u128::from(self.ran_ms), "usage is the sum");
        assert!(usage >= self.last_usage_ms, "usage never runs backwards");
        assert_eq!(self.life.usage(Timestamp::EPOCH).as_millis(), usage);
        assert_eq!(self.life.usage_seconds(now), self.ran_ms.div_ceil(1000));
        self.last_usage_ms = usage;
    }

    fn check_deadlines(&self, input: &Input, now: Timestamp) {
        let life = &self.life;
        assert!(life.last_activity() <= now);
        if let Mode::Ephemeral(ephemeral) = life.policy().mode() {
            let left = life.time_left(now).unwrap();
            assert!(left <= ephemeral.max_time_to_live, "the maximum holds");
        }
        // A clock at its very end has no later.
        if matches!(input, Input::Tick) && now < Timestamp::MAX {
            let next = life.next_deadline();
            assert!(next.is_none_or(|at| at > now), "{next:?} at {now:?}");
        }
    }
}

pub(crate) fn ephemeral(life: &Lifecycle) -> bool {
    matches!(life.policy().mode(), Mode::Ephemeral(_))
}

pub(crate) fn kinds(actions: &[Action]) -> Vec<ActionKind> {
    actions.iter().map(|action| action.kind).collect()
}
