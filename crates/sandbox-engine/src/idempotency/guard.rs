//! The right to carry a request out, and what becomes of it.

use sandbox_core::{Error, ErrorKind, Result, SandboxId, Timestamp};

use super::running::Hold;
use super::{Answer, Effect, Idempotency, Record, RecordState};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Its answer will be given again.
    Whole,
    /// Its answer was too large; only the status is kept.
    StatusOnly,
    /// Its key is free again: nothing was done.
    Nothing,
    /// It counts as interrupted: the next request with its key goes on with it, or is refused.
    Interrupted,
}

/// How far a request is known to have come, for one that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing was begun, or what was is gone.
    Nothing,
    /// It did what it will ever do.
    Final,
    /// Nobody can tell.
    Unknown,
}

/// The right to carry a request out. Dropping it says that nobody knows how far it came: what the
/// next request with this key gets depends on its [`Effect`].
#[derive(Debug)]
#[must_use = "a request that is not finished counts as interrupted"]
pub struct Guard {
    keys: Idempotency,
    hold: Hold,
    record: Record,
    effect: Effect,
    is_resumed: bool,
    progress: Option<Progress>,
}

impl Guard {
    pub(super) fn new(keys: Idempotency, hold: Hold, record: Record, effect: Effect) -> Self {
        Self {
            keys,
            hold,
            record,
            effect,
            is_resumed: false,
            progress: None,
        }
    }

    /// One that goes on with a request that was interrupted.
    pub(super) fn resumed(self) -> Self {
        Self {
            is_resumed: true,
            ..self
        }
    }

    /// The id that the sandbox of an [`Effect::Create`] will have. It is in the store.
    pub fn reserved(&self) -> Option<&SandboxId> {
        self.record.sandbox.as_ref()
    }

    /// Whether an earlier request with this key was interrupted and may have done something.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// When the first request with this key began.
    pub fn started_at(&self) -> Timestamp {
        self.record.started_at
    }

    /// Reserves another id, where nothing will ever come of the one before.
    pub(crate) async fn reserve_anew(&mut self) -> Result<SandboxId> {
        let id = SandboxId::from_random(crate::random::bytes()?);
        let record = Record {
            sandbox: Some(id.clone()),
            ..self.record.clone()
        };
        self.keys.store().save(&self.hold.request, &record).await?;
        self.record = record;
        Ok(id)
    }

    /// Notes how far it came, for [`fail`](Self::fail).
    pub(crate) fn note(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    /// Keeps the answer; give it to the caller afterwards.
    ///
    /// # Errors
    /// The store's; the request then counts as interrupted.
    pub async fn finish(self, answer: Answer) -> Result<Kept> {
        let (state, kept) = self.keys.room_for(&self.hold.request.owner, answer).await?;
        let record = Record {
            state,
            ..self.record.clone()
        };
        let saved = self.keys.store().save(&self.hold.request, &record).await;
        if saved.is_err() {
            self.keys
                .give_room_back(&self.hold.request.owner, &record.state);
        }
        saved.map(|()| kept)
    }

    /// Ends a request that failed with `error`, of which the caller is told `answer`:
    ///
    /// - what was refused before it did anything frees its key, so that it can be mended and sent
    ///   again: of an [`Effect::Create`] whatever left no sandbox; of an [`Effect::Once`] every
    ///   kind but `Timeout`, `Unavailable` and `Internal`; any [`Effect::Repeatable`];
    /// - what failed for good keeps its answer: a sandbox that was made and failed, other than for
    ///   want of a runtime that answers, and an [`Effect::Once`] with `Timeout` or `Internal`,
    ///   which must not be tried again by itself;
    /// - whatever else nobody knows the end of counts as interrupted: the next create finds out,
    ///   the next [`Effect::Once`] is refused.
    ///
    /// # Errors
    /// The store's; the request then counts as interrupted.
    pub async fn fail(self, error: &Error, answer: Answer) -> Result<Kept> {
        let progress = match (self.progress, self.effect) {
            (Some(progress), _) => progress,
            (None, Effect::Repeatable) => Progress::Nothing,
            // Not kept: an answer that says "try again" would be given again for ever.
            (None, _) if error.is_retryable() => Progress::Unknown,
            (None, Effect::Once) if is_unsure(error.kind()) => Progress::Final,
            (None, Effect::Create) if is_unsure(error.kind()) => Progress::Unknown,
            (None, Effect::Once | Effect::Create) => Progress::Nothing,
        };
        // Whatever became of this one, the one before it may have done something.
        let is_open = self.is_resumed && self.progress.is_none();
        match progress {
            Progress::Nothing if is_open && self.effect != Effect::Repeatable => {
                Ok(Kept::Interrupted)
            }
            Progress::Nothing => self.abandon().await.map(|()| Kept::Nothing),
            Progress::Final => self.finish(answer).await,
            Progress::Unknown => Ok(Kept::Interrupted),
        }
    }

    /// Frees the key: for a request that was refused before it did anything, or that failed in a
    /// way that may be tried again.
    ///
    /// # Errors
    /// The store's; the request then counts as interrupted.
    pub async fn abandon(self) -> Result<()> {
        self.keys.store().remove(&self.hold.request).await?;
        self.keys.count(&self.hold.request.owner, |totals| {
            totals.records = totals.records.saturating_sub(1);
        });
        Ok(())
    }
}

/// Whether something may have come of a request that failed so.
fn is_unsure(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal
    )
}

/// The one chance to finish a request that was interrupted. Dropping it leaves things as they are.
#[derive(Debug)]
pub struct Takeover(pub(super) Guard);

impl Takeover {
    /// When the interrupted request began.
    pub fn started_at(&self) -> Timestamp {
        self.0.record.started_at
    }

    /// Takes the request over. That this happened is in the store before it returns.
    ///
    /// # Errors
    /// The store's; nothing has changed then.
    pub async fn take_over(self) -> Result<Guard> {
        let Self(mut guard) = self;
        guard.record.state = RecordState::TakenOver;
        guard
            .keys
            .store()
            .save(&guard.hold.request, &guard.record)
            .await?;
        Ok(guard.resumed())
    }
}
