//! Callers that wait for a sandbox to get somewhere.

use sandbox_core::lifecycle::{ActionKind, State};
use sandbox_core::{Error, ErrorKind, Result};

use super::Goal;
use super::message::Reply;
use super::run::Driver;

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) goal: Goal,
    pub(super) reply: Reply,
}

impl Driver {
    /// Answers those whose wait is over.
    pub(super) fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiters);
        for waiter in waiting {
            // Whoever asked has left: without this they would pile up while the goal is far.
            if waiter.reply.is_closed() {
                continue;
            }
            match self.verdict(waiter.goal) {
                None => self.waiters.push(waiter),
                Some(verdict) => {
                    let answer = verdict.map(|()| self.entry.record());
                    // Whoever asked may have left.
                    let _ = waiter.reply.send(answer);
                }
            }
        }
    }

    /// Whether `goal` is reached, or why it will not be; `None` while it may be.
    fn verdict(&self, goal: Goal) -> Option<Result<()>> {
        let state = self.life.state();
        let rest = match goal {
            Goal::Running => State::Running,
            Goal::Paused => State::Paused,
            Goal::Destroyed => State::Destroyed,
        };
        if state == rest {
            return Some(Ok(()));
        }
        if self.life.target() == rest {
            // A destroy that failed is tried again without end; nobody waits that long.
            let given_up = state == State::Destroying && self.life.outstanding().is_none();
            return given_up.then(|| Err(self.why_not(goal)));
        }
        Some(Err(self.why_not(goal)))
    }

    fn why_not(&self, goal: Goal) -> Error {
        let action = match (goal, self.life.state()) {
            (Goal::Running, State::Failed) => ActionKind::Create,
            (Goal::Running, _) => ActionKind::Resume,
            (Goal::Paused, _) => ActionKind::Pause,
            (Goal::Destroyed, _) => ActionKind::Destroy,
        };
        if let Some((failed, error)) = &self.last_error
            && *failed == action
        {
            return replica(error);
        }
        let state = self.life.state();
        let kind = match state {
            State::Destroyed => ErrorKind::NotFound,
            State::Creating
            | State::Running
            | State::Pausing
            | State::Paused
            | State::Resuming
            | State::Destroying
            | State::Failed => ErrorKind::Conflict,
        };
        let message = match self.life.failure() {
            Some(failure) => format!("the sandbox failed: {failure}"),
            None => format!("somebody else asked for something else: the sandbox is {state}"),
        };
        Error::new(kind, "engine.wait", message)
    }
}

/// The same error again, for one more caller.
pub(super) fn replica(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.operation(), error.explanation());
    match error.field() {
        Some(field) => copy.with_field(field),
        None => copy,
    }
}
