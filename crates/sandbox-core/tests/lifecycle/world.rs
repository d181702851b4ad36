//! One sandbox in a simulated runtime, a driver that may die, and what its users expect.

use std::collections::VecDeque;

use proptest::prelude::*;
use sandbox_core::Timestamp;
use sandbox_core::lifecycle::{
    Action, ActionError, ActionKind, Input, Lifecycle, LifecyclePolicy, Observation, Request, State,
};

use crate::checked::{Checked, ephemeral, kinds};
use crate::inputs;

/// What the runtime has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Real {
    Absent,
    /// Never made whole, or ended.
    Broken,
    Running,
    Paused,
}

/// How an action that the driver carries out goes.
#[derive(Debug, Clone)]
pub(crate) enum Luck {
    Good,
    /// Nothing happened, or, for a creation, something is left.
    Bad(ActionError),
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Request(Request),
    Forward(u64),
    /// Someone sets the clock back.
    Back(u64),
    Tick,
    TickAtDeadline,
    /// The driver carries out the oldest action it has.
    Carry(Luck),
    /// The driver hands in one of the outcomes it has, in any order.
    Report(prop::sample::Index),
    /// The first process ends, and the runtime says so.
    End {
        out_of_memory: bool,
    },
    /// Someone changes the sandbox behind the driver's back.
    Meddle(Real),
    /// The driver dies, perhaps in the middle of an action and perhaps before it stored the last
    /// step, and the next one finds what there is.
    Restart {
        carried: bool,
        unstored: bool,
    },
}

pub(crate) fn steps() -> impl Strategy<Value = Step> {
    let luck = prop_oneof![
        3 => Just(Luck::Good),
        1 => inputs::errors().prop_map(Luck::Bad),
    ];
    let real = prop_oneof![
        Just(Real::Absent),
        Just(Real::Broken),
        Just(Real::Running),
        Just(Real::Paused)
    ];
    prop_oneof![
        8 => inputs::requests().prop_map(Step::Request),
        4 => (0..30_000u64).prop_map(Step::Forward),
        1 => (0..30_000u64).prop_map(Step::Back),
        3 => Just(Step::Tick),
        2 => Just(Step::TickAtDeadline),
        8 => luck.prop_map(Step::Carry),
        8 => any::<prop::sample::Index>().prop_map(Step::Report),
        1 => any::<bool>().prop_map(|out_of_memory| Step::End { out_of_memory }),
        1 => real.prop_map(Step::Meddle),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(carried, unstored)| Step::Restart { carried, unstored }),
    ]
}

#[derive(Debug)]
pub(crate) struct World {
    machine: Checked,
    /// Where the last accepted request, or what befell it since, should leave the sandbox.
    expected: State,
    /// `machine` and `expected` before the last step, while the store may still lack it.
    unstored: Option<(Checked, State)>,
    real: Real,
    meddled: bool,
    queue: VecDeque<Action>,
    inbox: Vec<(Action, Input)>,
    now: Timestamp,
}

impl World {
    pub(crate) fn new(policy: LifecyclePolicy) -> Self {
        let now = Timestamp::from_millis(10_000_000);
        let (machine, actions) = Checked::new(policy, now);
        Self {
            machine,
            expected: State::Running,
            unstored: None,
            real: Real::Absent,
            meddled: false,
            queue: actions.into(),
            inbox: Vec::new(),
            now,
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Request(request) => self.request(request),
            Step::Forward(millis) => {
                self.now = Timestamp::from_millis(self.now.as_millis() + millis);
            }
            Step::Back(millis) => {
                self.now = Timestamp::from_millis(self.now.as_millis() - millis);
            }
            Step::Tick => self.tick(),
            Step::TickAtDeadline => {
                if let Some(deadline) = self.life().next_deadline() {
                    self.now = deadline;
                    self.tick();
                }
            }
            Step::Carry(luck) => self.carry(&luck),
            Step::Report(index) => {
                if !self.inbox.is_empty() {
                    let at = index.index(self.inbox.len());
                    self.report(at);
                }
            }
            Step::End { out_of_memory } => self.end(out_of_memory),
            Step::Meddle(real) => self.meddle(real),
            Step::Restart { carried, unstored } => self.restart(carried, unstored),
        }
    }

    fn life(&self) -> &Lifecycle {
        &self.machine.life
    }

    fn handle(&mut self, input: impl Into<Input>) -> Option<Vec<Action>> {
        self.unstored = Some((self.machine.clone(), self.expected));
        let actions = self.machine.handle(input, self.now).ok()?;
        self.queue.extend(&actions);
        Some(actions)
    }

    fn request(&mut self, request: Request) {
        let accepted = self.handle(request).is_some();
        let wakes = self.life().policy().auto_wake();
        self.expected = match request {
            _ if !accepted => self.expected,
            Request::Pause => State::Paused,
            Request::Resume => State::Running,
            Request::Destroy => State::Destroyed,
            Request::Activity if wakes => State::Running,
            Request::Activity | Request::KeepAlive { .. } | Request::SetTimeout { .. } => {
                self.expected
            }
        };
    }

    fn tick(&mut self) {
        let due = self.life().next_deadline().is_some_and(|at| at <= self.now);
        let before = self.life().clone();
        let actions = self.handle(Input::Tick).expect("a tick is never refused");
        if !due {
            assert_eq!(self.life().state(), before.state(), "nothing was due");
            assert!(actions.is_empty(), "nothing was due");
        } else if kinds(&actions) == [ActionKind::Pause] {
            self.expected = State::Paused;
        } else if self.life().target() == State::Destroyed {
            self.expected = State::Destroyed;
        } else {
            assert_eq!(before.state(), State::Failed, "what was due was done");
            assert_eq!(kinds(&actions), [ActionKind::Destroy]);
        }
    }

    fn carry(&mut self, luck: &Luck) {
        let Some(action) = self.queue.pop_front() else {
            return;
        };
        let outcome = match luck {
            Luck::Bad(error) => {
                if action.kind == ActionKind::Create {
                    self.real = Real::Broken;
                }
                action.failed(error.clone())
            }
            Luck::Good => self.carry_well(action),
        };
        self.inbox.push((action, outcome));
    }

    fn carry_well(&mut self, action: Action) -> Input {
        let gone = |action: Action| {
            let kind = sandbox_core::ErrorKind::NotFound;
            action.failed(ActionError::new(kind, "there is nothing that could"))
        };
        self.real = match (action.kind, self.real) {
            (ActionKind::Destroy, _) => Real::Absent,
            (ActionKind::Create, _) => Real::Running,
            (_, Real::Absent | Real::Broken) => return gone(action),
            (ActionKind::Pause, Real::Running | Real::Paused) => Real::Paused,
            (ActionKind::Resume, Real::Running | Real::Paused) => Real::Running,
        };
        action.succeeded()
    }

    fn report(&mut self, at: usize) {
        let (action, outcome) = self.inbox.remove(at);
        let awaited = self.life().outstanding() == Some(action);
        let failed = matches!(&outcome, Input::Outcome(outcome) if outcome.result.is_err());
        self.handle(outcome).expect("an outcome is never refused");
        if awaited && failed {
            self.expected = match action.kind {
                ActionKind::Create => State::Failed,
                ActionKind::Pause => State::Running,
                ActionKind::Resume => State::Paused,
                ActionKind::Destroy => self.expected,
            };
        }
    }

    fn end(&mut self, out_of_memory: bool) {
        if !matches!(self.real, Real::Running | Real::Paused) {
            return;
        }
        self.real = Real::Broken;
        self.handle(if out_of_memory {
            Observation::OutOfMemory
        } else {
            Observation::Exited { code: Some(137) }
        });
        self.befall(State::Failed);
    }

    /// Something that no request can undo, unless it is being destroyed anyway.
    fn befall(&mut self, state: State) {
        if self.expected != State::Destroyed {
            self.expected = state;
        }
    }

    fn meddle(&mut self, real: Real) {
        // Only the driver makes sandboxes.
        if self.real != Real::Absent {
            self.real = real;
            self.meddled = true;
        }
    }

    fn restart(&mut self, carried: bool, unstored: bool) {
        if let Some((machine, expected)) = self.unstored.take()
            && unstored
            && self.nothing_newer_started(&machine)
        {
            self.machine = machine;
            self.expected = expected;
        } else if carried {
            self.carry(&Luck::Good);
        }
        self.queue.clear();
        self.inbox.clear();
        self.recover();
    }

    /// Whether the last step's action, if it had one, was not started: it is stored before.
    fn nothing_newer_started(&self, before: &Checked) -> bool {
        self.life().outstanding() == before.life.outstanding()
            || self.life().outstanding().is_none()
            || self.queue.back().copied() == self.life().outstanding()
    }

    fn recover(&mut self) {
        let kept = self.life().state() == State::Failed && self.life().holds_resources();
        let kept = kept && self.life().outstanding().is_none() && !ephemeral(self.life());
        let kept = kept && self.life().next_deadline().is_none();
        let alive = |state| kept.then_some(state);
        let (seen, befalls) = match self.real {
            Real::Running => (Observation::FoundRunning, alive(State::Running)),
            Real::Paused => (Observation::FoundPaused, alive(State::Paused)),
            Real::Broken => (Observation::FoundBroken, Some(State::Failed)),
            Real::Absent => (Observation::Missing, Some(State::Failed)),
        };
        self.handle(seen);
        if let Some(state) = befalls {
            self.befall(state);
        }
        self.tick();
    }

    /// Everything that is still to be done goes well.
    pub(crate) fn settle(&mut self) {
        if self.meddled {
            self.restart(false, false);
        }
        for _ in 0..20 {
            while !self.queue.is_empty() {
                self.carry(&Luck::Good);
            }
            if !self.inbox.is_empty() {
                self.report(0);
            } else if self.waits_for_a_retry() {
                self.step(Step::TickAtDeadline);
            } else {
                return;
            }
        }
        panic!("it never comes to rest: {self:?}");
    }

    fn waits_for_a_retry(&self) -> bool {
        match self.life().state() {
            State::Destroying => true,
            State::Failed => self.life().holds_resources() && self.life().next_deadline().is_some(),
            State::Creating | State::Pausing | State::Resuming => panic!("forgotten: {self:?}"),
            State::Running | State::Paused | State::Destroyed => false,
        }
    }

    /// What users asked for, what the machine says and what exists are the same.
    pub(crate) fn check_at_rest(&self) {
        assert_eq!(self.life().state(), self.expected);
        assert_eq!(self.life().outstanding(), None);
        let real = match self.life().state() {
            State::Running => Real::Running,
            State::Paused => Real::Paused,
            State::Destroyed => Real::Absent,
            State::Failed if !self.life().holds_resources() => Real::Absent,
            State::Failed => {
                assert!(!ephemeral(self.life()), "an ephemeral one leaves nothing");
                Real::Broken
            }
            other => panic!("{other} is no rest"),
        };
        assert_eq!(self.real, real, "no orphan, and nothing lost");
    }
}
