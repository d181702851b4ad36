//! The one place where the status of a sandbox changes.

use std::sync::Arc;
use std::time::Duration;

use sandbox_core::lifecycle::{Action, Input, Lifecycle, Readiness, Request, State};
use sandbox_core::{Result, Timestamp};
use tokio::sync::oneshot;

use super::Message;
use super::month::by_month;
use super::run::Driver;
use crate::SandboxRecord;
use crate::entry::Entry;
use crate::events::{EventKind, NewEvent};
use crate::process::Takeover;
use crate::store::{Change, StoredSandbox};

/// How soon a write that failed is tried again; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest time between two tries.
const LAST_RETRY: Duration = Duration::from_secs(5);

impl Driver {
    /// Asks the machine what `input` means, writes that down, shows it, and sets to work, in this
    /// order.
    ///
    /// A request that cannot be written down did not happen. What already did happen is written as
    /// soon as the store lets it, and nothing else goes on until then.
    pub(super) async fn step(&mut self, input: Input) -> Result<()> {
        let now = self.core.clock.now();
        self.take_in_uses(now);
        let mut next = self.life.clone();
        let handled = next.handle(input.clone(), now);
        self.last_handled = now;
        let actions = match handled {
            Ok(actions) => actions,
            Err(refused) => {
                // Time has passed all the same.
                self.life = next;
                self.open_gate();
                return Err(refused.into());
            }
        };
        if self.is_worth_writing(&input, &next, &actions) {
            let change = self.change(&next, now, self.describe(&input, &next));
            let written = match input {
                Input::Request(_) => self.write_once(change).await,
                Input::Outcome(_) | Input::Observation(_) | Input::Tick => {
                    self.write_surely(change).await
                }
            };
            if let Err(error) = written {
                self.open_gate();
                return Err(error);
            }
        }
        let before = std::mem::replace(&mut self.life, next).state();
        self.enqueue(actions);
        self.show();
        self.follow(before);
        self.settle();
        self.open_gate();
        Ok(())
    }

    /// Hands the machine the uses that did not wake this task, and shuts the gate to further ones
    /// until the step is done.
    fn take_in_uses(&mut self, now: Timestamp) {
        let used = self.entry.gate.shut();
        if used == self.seen_use || self.life.readiness() != Readiness::Ready {
            return;
        }
        self.seen_use = used;
        // Never before what was handled already: the machine would take the clock for set back.
        let at = used.clamp(self.last_handled.min(now), now);
        if let Err(refused) = self.life.handle(Request::Activity, at) {
            tracing::error!(%refused, "a sandbox that is ready refused to be used");
        }
    }

    /// Lets uses in while the sandbox is ready for them.
    fn open_gate(&self) {
        let ready = self.life.readiness() == Readiness::Ready && !self.stopping;
        self.entry.gate.set_open(ready && self.matched);
    }

    fn is_worth_writing(&self, input: &Input, next: &Lifecycle, actions: &[Action]) -> bool {
        let what = |life: &Lifecycle| {
            (
                life.state(),
                life.target(),
                life.outstanding(),
                life.expires_at(),
                life.next_deadline()
                    .filter(|_| life.state() != State::Running),
            )
        };
        let changes_time = matches!(
            input,
            Input::Request(Request::KeepAlive { .. } | Request::SetTimeout { .. })
        );
        let used = next.last_activity();
        let long_unwritten = used.since(self.saved_activity) >= self.core.config.activity_precision;
        !actions.is_empty() || changes_time || long_unwritten || what(&self.life) != what(next)
    }

    /// What happened, for those who read events.
    fn describe(&self, input: &Input, next: &Lifecycle) -> Vec<EventKind> {
        let mut events = Vec::new();
        if let (Input::Outcome(outcome), Some(awaited)) = (input, self.life.outstanding())
            && outcome.action == awaited.id
            && let Err(error) = &outcome.result
        {
            events.push(EventKind::ActionFailed {
                action: awaited.kind,
                error: error.clone(),
            });
        }
        if self.life.time_left(self.last_handled) != next.time_left(self.last_handled)
            && matches!(input, Input::Request(_))
            && self.life.state() == next.state()
        {
            events.push(EventKind::TimeoutChanged {
                expires_at: next.expires_at(),
            });
        }
        events.extend(arrival(self.life.state(), next));
        events
    }

    /// What is written when the machine becomes `next`.
    pub(super) fn change(
        &self,
        next: &Lifecycle,
        now: Timestamp,
        events: Vec<EventKind>,
    ) -> Change {
        let ran = next.usage(now);
        let unaccounted = ran.saturating_sub(Duration::from_millis(self.accounted_ms));
        let mut sandbox = self.stored(next.clone());
        sandbox.accounted_ms = self.accounted_ms + as_millis(unaccounted);
        Change {
            sandbox,
            usage: by_month(unaccounted, now),
            events: events
                .into_iter()
                .map(|kind| self.event(kind, now))
                .collect(),
        }
    }

    fn stored(&self, lifecycle: Lifecycle) -> StoredSandbox {
        StoredSandbox {
            seq: self.entry.seq,
            owner: self.entry.owner.clone(),
            runtime: self.entry.slot.name.clone(),
            spec: Arc::clone(&self.entry.spec),
            egress: self.egress.clone(),
            egress_applied: self.egress_applied,
            lifecycle,
            accounted_ms: self.accounted_ms,
            start: self.start.clone(),
        }
    }

    pub(super) fn event(&self, kind: EventKind, at: Timestamp) -> NewEvent {
        NewEvent {
            at,
            owner: self.entry.owner.clone(),
            sandbox: Some(self.entry.id().clone()),
            kind,
        }
    }

    pub(super) async fn write_once(&mut self, change: Change) -> Result<()> {
        let (accounted, activity) = (
            change.sandbox.accounted_ms,
            change.sandbox.lifecycle.last_activity(),
        );
        let (usage, life) = (change.usage.clone(), change.sandbox.lifecycle.clone());
        self.core.store.save(change).await?;
        self.accounted_ms = accounted;
        self.count_time(&usage, &life);
        self.saved_activity = activity;
        self.core.count_write();
        Ok(())
    }

    /// Writes what has happened already, however long that takes. Fails only when the engine is
    /// told to leave at once.
    pub(super) async fn write_surely(&mut self, change: Change) -> Result<()> {
        let kill = self.core.kill.clone();
        let mut delay = FIRST_RETRY;
        loop {
            let Err(error) = self.write_once(change.clone()).await else {
                return Ok(());
            };
            tracing::error!(%error, sandbox = %self.entry.id(), "the store does not take a change");
            let again = self.core.clock.now().plus(delay);
            tokio::select! {
                () = kill.cancelled() => return Err(error),
                () = self.core.clock.sleep_until(again) => delay = (delay * 2).min(LAST_RETRY),
            }
        }
    }

    /// Shows everybody what is so now.
    pub(super) fn show(&self) {
        let stored = self.stored(self.life.clone());
        let record = SandboxRecord::from_stored(&stored, self.available);
        self.entry.view.send_replace(Arc::new(record));
    }

    /// What goes with having come from `before` to where it is.
    fn follow(&mut self, before: State) {
        if !self.life.holds_resources()
            && self.give_share_back()
            && self.life.state() == State::Failed
        {
            self.bound_failed();
        }
        let state = self.life.state();
        if state == before {
            return;
        }
        match state {
            State::Running => self.take_processes_over(),
            State::Failed | State::Destroyed => self.entry.processes.lose_all(&self.watch()),
            State::Creating
            | State::Pausing
            | State::Paused
            | State::Resuming
            | State::Destroying => {}
        }
    }

    /// Has the oldest of too many failed sandboxes of the owner destroyed: they hold no share of
    /// a quota, and nothing else would bound them.
    fn bound_failed(&self) {
        let is_done = |entry: &Arc<Entry>| {
            let life = &entry.view.borrow().lifecycle;
            life.state() == State::Failed && !life.holds_resources()
        };
        let mut failed = self.core.registry.of_owner(&self.entry.owner);
        failed.retain(is_done);
        let excess = failed.len().saturating_sub(self.core.config.max_failed);
        for entry in failed.into_iter().take(excess) {
            let (reply, _nobody_waits) = oneshot::channel();
            // Gone: it is destroyed already.
            let _ = entry.send(Message::Request {
                request: Request::Destroy,
                goal: None,
                reply,
            });
        }
    }

    /// Watches again the processes that nobody watches.
    pub(super) fn take_processes_over(&self) {
        let Some(sandbox) = self.entry.sandbox() else {
            return;
        };
        let how = match self.entry.slot.runtime.capabilities().attach {
            true => Takeover::Attach,
            false => Takeover::Lost,
        };
        self.entry.processes.take_over(&sandbox, how, &self.watch());
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The event of coming to a new state.
fn arrival(before: State, next: &Lifecycle) -> Option<EventKind> {
    let state = next.state();
    if state == before {
        return None;
    }
    match state {
        State::Running => match before {
            State::Creating | State::Failed => Some(EventKind::Running),
            State::Resuming => Some(EventKind::Resumed),
            // The pause failed: it never stopped.
            State::Pausing
            | State::Running
            | State::Paused
            | State::Destroying
            | State::Destroyed => None,
        },
        State::Paused => match before {
            // The resume failed: it never ran.
            State::Resuming => None,
            State::Creating
            | State::Running
            | State::Pausing
            | State::Paused
            | State::Destroying
            | State::Destroyed
            | State::Failed => Some(EventKind::Paused),
        },
        State::Destroyed => Some(EventKind::Destroyed),
        State::Failed => next.failure().map(|failure| EventKind::Failed {
            failure: failure.clone(),
        }),
        State::Creating | State::Pausing | State::Resuming | State::Destroying => None,
    }
}
