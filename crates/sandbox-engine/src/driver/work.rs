//! What is done to a sandbox, one thing at a time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Action, ActionError, ActionKind, State};
use sandbox_core::{Error, ErrorKind, Result};

use super::message::Reply;
use super::run::Driver;
use crate::core::Core;
use crate::entry::Entry;
use crate::events::EventKind;
use crate::process::Watch;

/// Something to be done.
pub(super) enum Job {
    Action(Action),
    /// The command of a sandbox that an earlier engine made and did not finish.
    Start,
    Egress {
        rules: EgressRules,
        /// `None`: the engine does it on its own.
        reply: Option<Reply>,
    },
}

impl Job {
    /// Puts rules in force that may not be.
    pub(super) fn restore_egress(rules: EgressRules) -> Self {
        Self::Egress { rules, reply: None }
    }
}

/// What is being done.
pub(super) struct Working {
    doing: Doing,
    future: BoxFuture<'static, Result<()>>,
}

pub(super) enum Doing {
    Action(Action),
    /// Starting the command of a new sandbox, the last part of its creation.
    Start(Option<Action>),
    Egress {
        before: EgressRules,
        /// Whether the runtime had confirmed them.
        was_applied: bool,
        reply: Option<Reply>,
    },
}

/// How what was being done ended.
pub(super) struct End {
    doing: Doing,
    result: Result<()>,
}

impl Working {
    /// Waits for the end of the work, for ever when there is none.
    pub(super) async fn end(work: &mut Option<Self>) -> End {
        let Some(working) = work else {
            return std::future::pending().await;
        };
        let result = (&mut working.future).await;
        match work.take() {
            Some(Self { doing, .. }) => End { doing, result },
            // It was there a moment ago.
            None => std::future::pending().await,
        }
    }
}

impl Driver {
    pub(super) fn watch(&self) -> Watch {
        Watch {
            core: Arc::clone(&self.core),
            owner: self.entry.owner.clone(),
            sandbox: self.entry.id().clone(),
        }
    }

    /// Takes orders from the machine. A destroy does not wait for what is being done.
    pub(super) fn enqueue(&mut self, actions: Vec<Action>) {
        for action in actions {
            if action.kind == ActionKind::Destroy {
                self.abandon();
            }
            self.queue.push_back(Job::Action(action));
        }
    }

    /// Gives up what is being done and what was to be done.
    fn abandon(&mut self) {
        if let Some(working) = self.work.take() {
            drop(working.future);
            self.entry.epoch.fetch_add(1, Ordering::SeqCst);
            match working.doing {
                Doing::Action(action) if action.kind == ActionKind::Create => {
                    // Something may still come of it on the other side.
                    self.entry.slot.look_again.notify_one();
                }
                Doing::Action(_) | Doing::Start(_) => {}
                Doing::Egress { reply, .. } => refuse(reply, being_destroyed()),
            }
        }
        for job in self.queue.drain(..) {
            match job {
                // The machine has replaced it.
                Job::Action(_) | Job::Start => {}
                Job::Egress { reply, .. } => refuse(reply, being_destroyed()),
            }
        }
    }

    /// Starts what is next, if nothing is being done.
    pub(super) async fn proceed(&mut self) {
        while self.work.is_none() && !self.stopping {
            let Some(job) = self.queue.pop_front() else {
                return;
            };
            match job {
                Job::Action(action) => self.start_action(action),
                Job::Start => self.start_command(None).await,
                Job::Egress { rules, reply } => self.start_egress(rules, reply).await,
            }
        }
    }

    fn start_action(&mut self, action: Action) {
        self.last_error = None;
        let (core, entry) = (Arc::clone(&self.core), Arc::clone(&self.entry));
        let limit = core.config.timeout_of(action.kind);
        let future = async move {
            let work = carry_out(&core, &entry, action.kind);
            core.bounded(operation(action.kind), limit, work).await
        };
        self.start_work(Doing::Action(action), future.boxed());
    }

    pub(super) fn start_work(&mut self, doing: Doing, future: BoxFuture<'static, Result<()>>) {
        self.entry.epoch.fetch_add(1, Ordering::SeqCst);
        // A runtime that panics must not leave a sandbox without a driver.
        let future = AssertUnwindSafe(future).catch_unwind().map(|done| {
            done.unwrap_or_else(|_| {
                let message = "the runtime panicked";
                Err(Error::new(ErrorKind::Internal, "engine.work", message))
            })
        });
        self.work = Some(Working {
            doing,
            future: future.boxed(),
        });
    }

    pub(super) async fn ended(&mut self, end: End) {
        self.entry.epoch.fetch_add(1, Ordering::SeqCst);
        match end.doing {
            Doing::Action(action) if action.kind == ActionKind::Create && end.result.is_ok() => {
                match self.start {
                    Some(_) => self.start_command(Some(action)).await,
                    None => self.action_ended(action, end.result).await,
                }
            }
            Doing::Action(action) => self.action_ended(action, end.result).await,
            Doing::Start(action) => self.command_ended(action, end.result).await,
            Doing::Egress {
                before,
                was_applied,
                reply,
            } => {
                if let Err(error) = &end.result {
                    self.egress_failed(before, was_applied, reply.is_some(), error.kind());
                }
                self.egress_ended(reply, end.result).await;
            }
        }
    }

    pub(super) async fn action_ended(&mut self, action: Action, result: Result<()>) {
        let outcome = match result {
            Ok(()) => action.succeeded(),
            Err(error) => {
                let stored = ActionError::from(&error);
                tracing::debug!(%error, sandbox = %self.entry.id(), action = %action.kind, "failed");
                if action.kind == ActionKind::Create && is_unsure(error.kind()) {
                    self.entry.slot.look_again.notify_one();
                }
                self.last_error = Some((action.kind, error));
                action.failed(stored)
            }
        };
        self.note(outcome).await;
    }

    /// Lines up other rules, if the runtime can have them and the sandbox is not at its end.
    pub(super) fn ask_for_egress(&mut self, rules: EgressRules, reply: Reply) {
        match self.check_egress(&rules) {
            Ok(()) => self.queue.push_back(Job::Egress {
                rules,
                reply: Some(reply),
            }),
            Err(error) => refuse(Some(reply), error),
        }
    }

    fn check_egress(&self, rules: &EgressRules) -> Result<()> {
        if self.stopping {
            return Err(crate::core::shutting_down());
        }
        if !self.matched {
            return Err(self.away());
        }
        match self.life.state() {
            State::Creating | State::Running | State::Pausing | State::Paused | State::Resuming => {
            }
            State::Destroying => return Err(being_destroyed()),
            State::Destroyed => return Err(crate::registry::not_found(self.entry.id())),
            State::Failed => {
                let message = "the sandbox failed and can only be destroyed";
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "engine.set_egress",
                    message,
                ));
            }
        }
        let egress = &self.entry.slot.runtime.capabilities().egress;
        if !egress.live_update {
            return Err(Error::unsupported(
                "engine.set_egress",
                "egress",
                "this runtime cannot replace the policy of a running sandbox",
            ));
        }
        egress.check(rules)
    }

    /// Writes down what the rules are to be, and has the runtime put them in force.
    async fn start_egress(&mut self, rules: EgressRules, reply: Option<Reply>) {
        let Some(sandbox) = self.entry.sandbox() else {
            return refuse(reply, self.away());
        };
        let before = std::mem::replace(&mut self.egress, rules.clone());
        let was_applied = std::mem::replace(&mut self.egress_applied, false);
        let change = self.change(&self.life, self.core.clock.now(), Vec::new());
        if let Err(error) = self.write_once(change).await {
            self.egress = before;
            self.egress_applied = was_applied;
            return refuse(reply, error);
        }
        let core = Arc::clone(&self.core);
        let future = async move {
            let limit = core.config.action_timeout;
            let work = sandbox.set_egress(&rules);
            core.bounded("engine.set_egress", limit, work).await
        };
        let doing = Doing::Egress {
            before,
            was_applied,
            reply,
        };
        self.start_work(doing, future.boxed());
    }

    /// Goes back to the rules before those that failed.
    fn egress_failed(
        &mut self,
        before: EgressRules,
        was_applied: bool,
        was_asked_for: bool,
        failed_with: ErrorKind,
    ) {
        if !was_asked_for {
            // Tried again after the next look at the runtime; one at its end is not worth a look.
            if self.check_egress(&self.egress).is_ok() {
                self.entry.slot.look_again.notify_one();
            }
            return;
        }
        let was_refused = matches!(failed_with, ErrorKind::InvalidSpec | ErrorKind::Unsupported);
        self.egress = before;
        self.egress_applied = was_applied && was_refused;
        if !self.egress_applied {
            // One that did not answer in time may have put the new rules in force all the same, or
            // does so yet: the old ones are set again before anything else is done.
            let rules = self.egress.clone();
            self.queue.push_front(Job::restore_egress(rules));
        }
    }

    async fn egress_ended(&mut self, reply: Option<Reply>, done: Result<()>) {
        let mut events = Vec::new();
        if done.is_ok() {
            self.egress_applied = true;
            let rules = self.egress.clone();
            events.push(EventKind::EgressUpdated { rules });
        }
        let change = self.change(&self.life, self.core.clock.now(), events);
        if self.write_surely(change).await.is_err() {
            return;
        }
        self.show();
        if let Some(reply) = reply {
            // Whoever asked may have left.
            let _ = reply.send(done.map(|()| self.entry.record()));
        }
    }
}

/// Whether something may still come of a creation that failed so.
fn is_unsure(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal
    )
}

fn refuse(reply: Option<Reply>, error: Error) {
    if let Some(reply) = reply {
        // Whoever asked may have left.
        let _ = reply.send(Err(error));
    }
}

fn being_destroyed() -> Error {
    let message = "the sandbox is being destroyed";
    Error::new(ErrorKind::Conflict, "engine.set_egress", message)
}

fn operation(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Create => "engine.create",
        ActionKind::Pause => "engine.pause",
        ActionKind::Resume => "engine.resume",
        ActionKind::Destroy => "engine.destroy",
    }
}

async fn carry_out(core: &Core, entry: &Entry, kind: ActionKind) -> Result<()> {
    let sandbox = || {
        entry.sandbox().ok_or_else(|| {
            let message = "the runtime has not said what it has of the sandbox";
            Error::new(ErrorKind::Unavailable, operation(kind), message)
        })
    };
    match kind {
        ActionKind::Create => create(core, entry).await,
        ActionKind::Pause => sandbox()?.pause().await,
        ActionKind::Resume => sandbox()?.resume().await,
        ActionKind::Destroy => destroy(entry).await,
    }
}

async fn create(core: &Core, entry: &Entry) -> Result<()> {
    let runtime = &entry.slot.runtime;
    let sandbox = core.provisioner.provision(runtime, &entry.spec).await?;
    entry.set_sandbox(Some(sandbox));
    Ok(())
}

/// Removes everything that carries the sandbox's id, also where nobody holds a handle to it.
async fn destroy(entry: &Entry) -> Result<()> {
    match entry.sandbox() {
        Some(sandbox) => sandbox.destroy().await?,
        None => {
            for found in entry.slot.runtime.recover().await? {
                if found.id == *entry.id() {
                    found.sandbox.destroy().await?;
                }
            }
        }
    }
    entry.set_sandbox(None);
    Ok(())
}
