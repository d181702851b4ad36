//! Making a sandbox under an idempotency key: once, whatever dies in between.

use std::sync::Arc;

use sandbox_core::lifecycle::{Failure, Request, State};
use sandbox_core::{Error, ErrorKind, Result, SandboxId};

use crate::access::Access;
use crate::driver::Goal;
use crate::engine::Engine;
use crate::idempotency::{Guard, Progress};
use crate::record::SandboxRecord;
use crate::registry::{not_found, taken};
use crate::{CreateRequest, OwnerId};

const OPERATION: &str = "engine.create_once";

/// What there is of a sandbox whose creation was interrupted.
enum Left {
    /// Nothing: it is still to be made.
    Nothing,
    /// It was made, or is being made.
    Sandbox(Arc<SandboxRecord>),
    /// It could not be made, through no fault of the request, and nothing will come of it any more.
    Wreck,
}

/// Whether a sandbox failed in a way that says nothing against making it again.
fn is_wreck(record: &SandboxRecord) -> bool {
    let is_over = matches!(
        record.state(),
        State::Failed | State::Destroying | State::Destroyed
    );
    let failure = record.failure().filter(|_| is_over);
    match failure {
        // The process died while it was being made; the runtime lost it meanwhile.
        Some(Failure::Missing | Failure::Broken) => true,
        Some(Failure::CreateFailed { error }) => error.kind == ErrorKind::Unavailable,
        Some(Failure::Exited { .. } | Failure::OutOfMemory) | None => false,
    }
}

impl Engine {
    /// Makes the sandbox of an [`Effect::Create`](crate::idempotency::Effect::Create), and waits
    /// until it runs: [`create`](Self::create) with the id that the claim reserved. Where an
    /// earlier request with the same key was interrupted, it goes on from there:
    ///
    /// - a sandbox that was made is answered, whatever state it is in by now; one that is being
    ///   made is waited for;
    /// - one that a restart found unfinished or missing, or whose runtime did not answer, is
    ///   removed and made again under a new id, which the claim has first;
    /// - where there is nothing yet, it is made.
    ///
    /// A failure is noted in the claim, for [`Guard::fail`].
    ///
    /// # Errors
    /// As [`create`](Self::create). `Conflict` when it was made and has been destroyed or has
    /// failed since. `InvalidSpec` with field `id` when the request names one: the claim does;
    /// with field `idempotency_key` when the claim is of another effect.
    pub async fn create_once(
        &self,
        claim: &mut Guard,
        request: CreateRequest,
    ) -> Result<Arc<SandboxRecord>> {
        self.once(claim, request, Some(Goal::Running)).await
    }

    /// As [`create_once`](Self::create_once), but answers as soon as the sandbox is written down,
    /// while it is being made.
    ///
    /// # Errors
    /// As there, up to the runtime's.
    pub async fn create_once_detached(
        &self,
        claim: &mut Guard,
        request: CreateRequest,
    ) -> Result<Arc<SandboxRecord>> {
        self.once(claim, request, None).await
    }

    /// What a create of this sandbox is answered with that was asked for before, by whoever knows
    /// that it is the same request: the sandbox; with `wait`, when it runs.
    ///
    /// # Errors
    /// Why it could not be made; `Conflict` when it was made and has been destroyed or has failed
    /// since.
    pub async fn created_before(
        &self,
        record: Arc<SandboxRecord>,
        wait: bool,
    ) -> Result<Arc<SandboxRecord>> {
        self.adopt(record, wait.then_some(Goal::Running)).await
    }

    async fn once(
        &self,
        claim: &mut Guard,
        request: CreateRequest,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        // Until it is known to be otherwise; also for a future that is dropped.
        claim.note(Progress::Unknown);
        let done = self.make_or_adopt(claim, request, goal).await;
        if done.is_err() {
            claim.note(self.progress_of(claim).await);
        }
        done
    }

    async fn make_or_adopt(
        &self,
        claim: &mut Guard,
        mut request: CreateRequest,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        if request.id.is_some() {
            let message = "is chosen by the idempotency key; leave it out";
            return Err(Error::invalid(OPERATION, "id", message));
        }
        let mut id = claim.reserved().cloned().ok_or_else(|| {
            let message = "was not claimed for a create";
            Error::invalid(OPERATION, "idempotency_key", message)
        })?;
        if claim.is_resumed() {
            match self.left_of(&id, &request.owner).await? {
                Left::Nothing => {}
                Left::Sandbox(record) => return self.adopt(record, goal).await,
                Left::Wreck => {
                    // In this order: after a death in between it is still known for a wreck.
                    self.remove(&id).await?;
                    id = claim.reserve_anew().await?;
                }
            }
        }
        request.id = Some(id);
        self.begin(request, goal).await
    }

    async fn left_of(&self, id: &SandboxId, owner: &OwnerId) -> Result<Left> {
        let record = match self.get(id).await {
            Ok(record) => record,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Left::Nothing),
            Err(error) => return Err(error),
        };
        // Ids are random: this is somebody who guesses, or a store that was tampered with.
        if record.owner != *owner {
            return Err(taken(id));
        }
        Ok(match is_wreck(&record) {
            true => Left::Wreck,
            false => Left::Sandbox(record),
        })
    }

    /// Answers a sandbox that an interrupted request made.
    async fn adopt(
        &self,
        record: Arc<SandboxRecord>,
        goal: Option<Goal>,
    ) -> Result<Arc<SandboxRecord>> {
        match record.state() {
            State::Creating if goal.is_some() => {
                let access = self.access(record.id())?;
                access.request(Request::Activity, goal).await
            }
            State::Creating | State::Running | State::Pausing | State::Paused | State::Resuming => {
                Ok(record)
            }
            State::Destroying | State::Destroyed | State::Failed => Err(ended(&record)),
        }
    }

    /// Has a wreck destroyed. That it will be is in the store when this returns; nobody waits until
    /// it is.
    async fn remove(&self, id: &SandboxId) -> Result<()> {
        let Some(entry) = self.core.registry.get(id) else {
            return Ok(());
        };
        let access = Access::new(Arc::clone(&self.core), entry);
        match access.request(Request::Destroy, None).await {
            // It was gone before the request got there.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// How far a creation came that was answered with an error.
    async fn progress_of(&self, claim: &Guard) -> Progress {
        let Some(id) = claim.reserved() else {
            return Progress::Nothing;
        };
        match self.get(id).await {
            // Its key is free again: the next one is made under another id.
            Ok(record) if is_wreck(&record) => Progress::Nothing,
            Ok(record) => match record.state() {
                State::Destroyed | State::Failed => Progress::Final,
                State::Creating
                | State::Running
                | State::Pausing
                | State::Paused
                | State::Resuming
                | State::Destroying => Progress::Unknown,
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Progress::Nothing,
            Err(_) => Progress::Unknown,
        }
    }
}

/// What a caller is told of a sandbox that was made under its key and came to its end.
fn ended(record: &SandboxRecord) -> Error {
    let id = record.id();
    if record.state() != State::Failed {
        let message = format!("the sandbox {id} was made under this key and is destroyed");
        return Error::new(ErrorKind::Conflict, OPERATION, message).with_field("idempotency_key");
    }
    match record.failure() {
        Some(Failure::CreateFailed { error }) => {
            let message = format!("the sandbox {id} could not be created: {error}");
            Error::new(error.kind, OPERATION, message)
        }
        Some(failure) => {
            let message = format!("the sandbox {id} was made under this key and failed: {failure}");
            Error::new(ErrorKind::Conflict, OPERATION, message).with_field("idempotency_key")
        }
        None => not_found(id),
    }
}
