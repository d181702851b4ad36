//! The loop of a driver, and what each message means.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{
    Action, ActionKind, Input, Lifecycle, Mode, Observation, Request, State,
};
use sandbox_core::{Error, ErrorKind, Pid, RecoveredState, Result, Sandbox, Timestamp};
use tokio::sync::mpsc;

use super::message::Reply;
use super::waiters::Waiter;
use super::work::{End, Job, Working};
use super::{Goal, Message};
use crate::clock::Clock;
use crate::core::Core;
use crate::entry::Entry;
use crate::events::EventKind;
use crate::store::{StoredSandbox, StoredStart};

/// What a driver starts with.
pub(crate) enum Beginning {
    /// A sandbox that was just asked for.
    New {
        actions: Vec<Action>,
        goal: Option<Goal>,
        reply: Reply,
    },
    /// One that an earlier engine had.
    Loaded,
}

pub(crate) struct Driver {
    pub(super) core: Arc<Core>,
    pub(super) entry: Arc<Entry>,
    pub(super) inbox: mpsc::UnboundedReceiver<Message>,
    pub(super) life: Lifecycle,
    pub(super) egress: EgressRules,
    /// Whether the runtime confirmed `egress`.
    pub(super) egress_applied: bool,
    pub(super) accounted_ms: u64,
    pub(super) available: bool,
    /// Whether the runtime has said what it has of this since the engine started.
    pub(super) matched: bool,
    pub(super) holds_share: bool,
    pub(super) stopping: bool,
    /// What to start once the sandbox is made, until it is started.
    pub(super) start: Option<StoredStart>,
    pub(super) work: Option<Working>,
    pub(super) queue: VecDeque<Job>,
    pub(super) waiters: Vec<Waiter>,
    /// How the last action ended, if it failed.
    pub(super) last_error: Option<(ActionKind, Error)>,
    pub(super) last_handled: Timestamp,
    pub(super) seen_use: Timestamp,
    pub(super) saved_activity: Timestamp,
}

enum Happened {
    Stop,
    Ended(End),
    Deadline,
    Message(Option<Message>),
}

impl Driver {
    pub(crate) fn new(
        core: Arc<Core>,
        entry: Arc<Entry>,
        inbox: mpsc::UnboundedReceiver<Message>,
        stored: StoredSandbox,
        is_new: bool,
    ) -> Self {
        Self {
            last_handled: stored.lifecycle.last_activity(),
            saved_activity: stored.lifecycle.last_activity(),
            seen_use: Timestamp::EPOCH,
            available: is_new,
            matched: is_new,
            holds_share: stored.lifecycle.holds_resources(),
            stopping: false,
            start: stored.start,
            work: None,
            queue: VecDeque::new(),
            waiters: Vec::new(),
            last_error: None,
            life: stored.lifecycle,
            egress: stored.egress,
            egress_applied: stored.egress_applied,
            accounted_ms: stored.accounted_ms,
            core,
            entry,
            inbox,
        }
    }

    /// Drives the sandbox until it is destroyed or the engine stops.
    pub(crate) async fn run(mut self, beginning: Beginning) {
        if !self.begin(beginning).await {
            return self.leave();
        }
        let (stop, kill) = (self.core.stop.clone(), self.core.kill.clone());
        let clock = Arc::clone(&self.core.clock);
        while !self.is_finished() {
            self.proceed().await;
            if self.stopping && self.work.is_none() {
                return;
            }
            let deadline = self.deadline();
            let happened = tokio::select! {
                biased;
                () = kill.cancelled() => return,
                () = stop.cancelled(), if !self.stopping => Happened::Stop,
                end = Working::end(&mut self.work) => Happened::Ended(end),
                () = until(&*clock, deadline) => Happened::Deadline,
                message = self.inbox.recv() => Happened::Message(message),
            };
            match happened {
                Happened::Stop => self.stop(),
                Happened::Ended(end) => self.ended(end).await,
                Happened::Deadline => self.deadline_passed().await,
                Happened::Message(Some(message)) => self.take(message).await,
                // The entry holds a sender, and this holds the entry.
                Happened::Message(None) => return,
            }
        }
        self.leave();
    }

    /// Writes a new sandbox down. `false`: that failed, and there is none.
    async fn begin(&mut self, beginning: Beginning) -> bool {
        let Beginning::New {
            actions,
            goal,
            reply,
        } = beginning
        else {
            return true;
        };
        let created = EventKind::Created {
            template: self.entry.spec.template().cloned(),
        };
        let change = self.change(&self.life, self.life.created_at(), vec![created]);
        if let Err(error) = self.write_once(change).await {
            // Whoever asked may have left; nothing was begun.
            let _ = reply.send(Err(error));
            return false;
        }
        match goal {
            Some(goal) => self.waiters.push(Waiter { goal, reply }),
            None => {
                let _ = reply.send(Ok(self.entry.record()));
            }
        }
        self.enqueue(actions);
        true
    }

    /// Destroyed, and nothing is left to do.
    fn is_finished(&self) -> bool {
        self.life.state() == State::Destroyed && self.work.is_none() && self.queue.is_empty()
    }

    fn leave(&mut self) {
        self.core.registry.remove(&self.entry);
        self.core.meter.forget(&self.entry.owner, self.entry.id());
        self.give_share_back();
        self.inbox.close();
    }

    /// Gives back the share of a quota, once. Whether it was now.
    pub(super) fn give_share_back(&mut self) -> bool {
        let held = std::mem::take(&mut self.holds_share);
        if held {
            let entry = &self.entry;
            self.core.admission.release(&entry.owner, entry.id());
        }
        held
    }

    /// Lets nobody in any more; what is on its way may end.
    fn stop(&mut self) {
        self.stopping = true;
        self.entry.gate.set_open(false);
    }

    /// Before the runtime said what it has, only what is being destroyed goes on.
    fn deadline(&self) -> Option<Timestamp> {
        let goes_on = self.matched || self.life.state() == State::Destroying;
        let deadline = self.life.next_deadline();
        deadline.filter(|_| goes_on && !self.stopping)
    }

    async fn deadline_passed(&mut self) {
        let idles = match self.life.policy().mode() {
            Mode::Persistent(_) => self.life.state() == State::Running,
            Mode::Ephemeral(_) => false,
        };
        // A call on its way, or a stream that somebody reads, is a use that goes on.
        let input = match idles && self.entry.gate.is_in_use() {
            true => Input::Request(Request::Activity),
            false => Input::Tick,
        };
        self.note(input).await;
    }

    /// Takes in what cannot be refused.
    pub(super) async fn note(&mut self, input: Input) {
        if let Err(error) = self.step(input).await {
            tracing::debug!(%error, sandbox = %self.entry.id(), "nothing came of it");
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Request {
                request,
                goal,
                reply,
            } => self.request(request, goal, reply).await,
            Message::SetEgress { rules, reply } => self.ask_for_egress(rules, reply),
            Message::Used => self.note(Request::Activity.into()).await,
            Message::Observed(seen) => self.note(seen.into()).await,
            Message::OutOfMemory(pid) => self.publish(out_of_memory(pid)).await,
            Message::EgressDenied(count) => {
                self.publish(EventKind::PermissionViolated { count }).await;
            }
            Message::UsedUp(why) => self.used_up(why).await,
            Message::Backend { available } => {
                self.available = available;
                self.show();
            }
            Message::Match { found, epoch, done } => {
                let of_use = self.match_found(found, epoch).await;
                // The watcher may be shutting down.
                let _ = done.send(of_use);
            }
        }
    }

    async fn request(&mut self, request: Request, goal: Option<Goal>, reply: Reply) {
        let usable = self.check_usable(request);
        let answer = match usable.and_then(|()| self.check_allowance(request)) {
            Ok(()) => self.step(request.into()).await,
            Err(error) => Err(error),
        };
        match (answer, goal) {
            (Err(error), _) => {
                let _ = reply.send(Err(error));
            }
            (Ok(()), None) => {
                let _ = reply.send(Ok(self.entry.record()));
            }
            (Ok(()), Some(goal)) => {
                self.waiters.push(Waiter { goal, reply });
                self.settle();
            }
        }
    }

    /// Before the runtime said what it has of a sandbox, only its end can be asked for.
    pub(super) fn check_usable(&self, request: Request) -> Result<()> {
        if self.stopping {
            return Err(crate::core::shutting_down());
        }
        if self.matched || request == Request::Destroy {
            return Ok(());
        }
        Err(self.away())
    }

    pub(super) fn away(&self) -> Error {
        let message = format!("the runtime {} does not answer", self.entry.slot.name);
        Error::new(ErrorKind::Unavailable, "engine.use", message)
    }

    /// Takes in what a look at the runtime found. `false`: something was being done meanwhile, so
    /// that nobody can tell which came first.
    async fn match_found(
        &mut self,
        found: Option<(RecoveredState, Arc<dyn Sandbox>)>,
        epoch: u64,
    ) -> bool {
        if self.work.is_some() || self.entry.epoch.load(Ordering::SeqCst) != epoch {
            return false;
        }
        let (seen, sandbox) = match found {
            None => (Observation::Missing, None),
            Some((state, sandbox)) => (observation(state), Some(sandbox)),
        };
        self.entry.set_sandbox(sandbox);
        self.available = true;
        self.matched = true;
        self.count_time(&[], &self.life);
        if let Some(seen) = self.judge(seen) {
            self.found(seen).await;
        }
        if !self.egress_applied {
            self.queue
                .push_back(Job::restore_egress(self.egress.clone()));
        }
        true
    }

    pub(super) async fn publish(&mut self, kind: EventKind) {
        let event = self.event(kind, self.core.clock.now());
        self.core.publish(event).await;
    }
}

fn observation(state: RecoveredState) -> Observation {
    match state {
        RecoveredState::Running => Observation::FoundRunning,
        RecoveredState::Paused => Observation::FoundPaused,
        RecoveredState::Broken => Observation::FoundBroken,
    }
}

fn out_of_memory(pid: Option<Pid>) -> EventKind {
    EventKind::LimitExceeded {
        field: "resources.memory".to_owned(),
        message: "the memory limit was reached and a process was killed".to_owned(),
        pid,
    }
}

async fn until(clock: &dyn Clock, deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
