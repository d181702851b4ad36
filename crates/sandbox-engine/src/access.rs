//! The way to a sandbox for those who use it.

use std::sync::Arc;

use sandbox_core::lifecycle::Request;
use sandbox_core::{Error, Result, Sandbox};
use tokio::sync::oneshot;

use crate::SandboxRecord;
use crate::allowance;
use crate::core::{Core, shutting_down};
use crate::driver::{Goal, Message};
use crate::entry::Entry;
use crate::events::{EventKind, NewEvent};
use crate::gate::InUse;
use crate::owners::COMPUTE_SECONDS;
use crate::process::Watch;
use crate::registry::not_found;

/// A sandbox and the engine it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    core: Arc<Core>,
    entry: Arc<Entry>,
}

impl Access {
    pub(crate) fn new(core: Arc<Core>, entry: Arc<Entry>) -> Self {
        Self { core, entry }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Begins a use: it counts as activity, and the sandbox is in use until the guard is dropped.
    /// Waits for one that is being created, resumed or, by its policy, woken.
    ///
    /// # Errors
    /// `Conflict` when it is paused and does not wake, failed or is being destroyed; `NotFound`
    /// when it is gone; what the creation or the resume failed with.
    pub(crate) async fn enter(&self) -> Result<(Arc<dyn Sandbox>, InUse)> {
        let in_use = self.in_use();
        let now = self.core.clock.now();
        if self.entry.gate.enter(now)
            && let Some(sandbox) = self.entry.sandbox()
        {
            if self
                .entry
                .gate
                .is_worth_noting(now, self.core.config.activity_precision)
            {
                // Gone: it is being destroyed, and the call says so.
                let _ = self.entry.send(Message::Used);
            }
            return Ok((sandbox, in_use));
        }
        self.request(Request::Activity, Some(Goal::Running)).await?;
        match self.entry.sandbox() {
            Some(sandbox) => Ok((sandbox, in_use)),
            None => Err(not_found(self.entry.id())),
        }
    }

    /// A use that goes on and does not begin by itself.
    pub(crate) fn in_use(&self) -> InUse {
        InUse::new(Arc::clone(&self.entry.gate))
    }

    /// Pauses the sandbox, where its runtime can, and waits until it is paused.
    pub(crate) async fn pause(&self) -> Result<Arc<SandboxRecord>> {
        if !self.entry.slot.runtime.capabilities().pause {
            let message = "this runtime cannot pause sandboxes";
            return Err(Error::unsupported("engine.pause", "pause", message));
        }
        self.request(Request::Pause, Some(Goal::Paused)).await
    }

    /// Asks the driver; with a goal, waits until that is reached.
    pub(crate) async fn request(
        &self,
        request: Request,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        match self.request_once(request, goal).await {
            // Nothing is left of what the owner had when it was last looked at.
            Err(error) if error.field() == Some(COMPUTE_SECONDS) => {
                allowance::check(&self.core, &self.entry.owner).await?;
                self.request_once(request, goal).await
            }
            answer => answer,
        }
    }

    async fn request_once(
        &self,
        request: Request,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        self.ask(|reply| Message::Request {
            request,
            goal,
            reply,
        })
        .await
    }

    /// Sends the driver what `message` makes and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T>>) -> Message,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        if self.entry.send(message(reply)).is_err() {
            return Err(self.gone());
        }
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> sandbox_core::Error {
        match self.core.stop.is_cancelled() {
            true => shutting_down(),
            false => not_found(self.entry.id()),
        }
    }

    /// Says that something happened in the sandbox.
    pub(crate) async fn publish(&self, kind: EventKind) {
        let event = NewEvent {
            at: self.core.clock.now(),
            owner: self.entry.owner.clone(),
            sandbox: Some(self.entry.id().clone()),
            kind,
        };
        self.core.publish(event).await;
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch {
            core: Arc::clone(&self.core),
            owner: self.entry.owner.clone(),
            sandbox: self.entry.id().clone(),
        }
    }
}
