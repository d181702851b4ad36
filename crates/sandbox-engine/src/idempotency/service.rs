//! What a request with a key means now.

use std::sync::Arc;
use std::time::Duration;

use sandbox_core::{Error, ErrorKind, Result, SandboxId, Timestamp};

use super::begin::{may_have_run, other_body, too_large};
use super::running::{Hold, Holding, Shared};
use super::store::{OwnerTotals, kept_bytes};
use super::{
    Answer, Begin, BodyHash, Claim, Effect, Guard, IdempotencyStore, InProgress, Kept, Record,
    RecordState, Request, Takeover,
};

/// How long keys are remembered, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyLimits {
    /// How long after its beginning a request is remembered. Default: 24 hours.
    pub retention: Duration,
    /// The largest answer that is kept, headers and body. Default: 1 MiB. Of a larger one only the
    /// status is kept.
    pub max_answer_bytes: u64,
    /// The most bytes of answers an owner has kept; over it, only the status is kept. Default:
    /// 64 MiB.
    pub max_owner_bytes: u64,
    /// The most requests of an owner that are remembered; over it, further ones with a key are
    /// refused. Default: 100,000.
    pub max_owner_records: u64,
}

impl Default for IdempotencyLimits {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(24 * 60 * 60),
            max_answer_bytes: 1 << 20,
            max_owner_bytes: 64 << 20,
            max_owner_records: 100_000,
        }
    }
}

/// What is known of a request.
enum Found {
    Fresh(Guard),
    /// It began and has no answer.
    Unfinished(Guard, RecordState),
    Replay(Answer),
    Done(u16),
    InProgress(InProgress),
    OtherBody,
}

/// Idempotency keys over an [`IdempotencyStore`]; clones share everything.
#[derive(Debug, Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    limits: IdempotencyLimits,
    shared: Arc<Shared>,
}

impl Idempotency {
    /// Keys remembered in `store`, which no other process uses.
    pub fn new(store: Arc<dyn IdempotencyStore>, limits: IdempotencyLimits) -> Self {
        Self {
            store,
            limits,
            shared: Arc::default(),
        }
    }

    /// Says whether `request` is to be carried out, whose doing has this `effect`, or what was
    /// answered to it before. While the same request is being carried out it waits for the answer:
    /// give it a timeout; `now` is asked again after each wait.
    ///
    /// # Errors
    /// `Conflict` with field `idempotency_key` when the key was used with another body, when the
    /// answer was too large to keep (the message has its status), and for an [`Effect::Once`] that
    /// was interrupted and may have run. `LimitExceeded` with field `idempotency_key` when the
    /// owner has [`max_owner_records`](IdempotencyLimits::max_owner_records). The store's.
    pub async fn claim(
        &self,
        request: Request,
        body: BodyHash,
        effect: Effect,
        now: impl Fn() -> Timestamp + Send,
    ) -> Result<Claim> {
        loop {
            let found = self.find(request.clone(), body, effect, now()).await?;
            return match found {
                Found::Fresh(guard) => Ok(Claim::Run(guard)),
                Found::Replay(answer) => Ok(Claim::Answered(answer)),
                Found::Done(status) => Err(too_large(status)),
                Found::OtherBody => Err(other_body()),
                Found::InProgress(other) => {
                    other.wait().await;
                    continue;
                }
                Found::Unfinished(guard, _) => match effect {
                    Effect::Create if guard.reserved().is_some() => Ok(Claim::Run(guard.resumed())),
                    Effect::Repeatable => Ok(Claim::Run(guard.resumed())),
                    Effect::Create | Effect::Once => Err(may_have_run()),
                },
            };
        }
    }

    /// Says what `request` means at `now`. [`claim`](Self::claim) is the simpler way.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] with field `idempotency_key` when the owner has
    /// [`max_owner_records`](IdempotencyLimits::max_owner_records); the store's.
    pub async fn begin(&self, request: Request, body: BodyHash, now: Timestamp) -> Result<Begin> {
        let found = self.find(request, body, Effect::Once, now).await?;
        Ok(match found {
            Found::Fresh(guard) => Begin::Fresh(guard),
            Found::Unfinished(_, RecordState::TakenOver) => Begin::Lost,
            Found::Unfinished(guard, _) => Begin::Unknown(Takeover(guard)),
            Found::Replay(answer) => Begin::Replay(answer),
            Found::Done(status) => Begin::Done(status),
            Found::InProgress(other) => Begin::InProgress(other),
            Found::OtherBody => Begin::Conflict,
        })
    }

    /// As [`begin`](Self::begin), but waits while the same request is being carried out. Give it a
    /// timeout; `now` is asked again after each wait.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_and_wait(
        &self,
        request: Request,
        body: BodyHash,
        now: impl Fn() -> Timestamp + Send,
    ) -> Result<Begin> {
        loop {
            match self.begin(request.clone(), body, now()).await? {
                Begin::InProgress(other) => other.wait().await,
                found => return Ok(found),
            }
        }
    }

    /// Forgets what is older than the retention. Call it now and then; how many it were.
    ///
    /// # Errors
    /// The store's.
    pub async fn expire(&self, now: Timestamp) -> Result<u64> {
        let retention = u64::try_from(self.limits.retention.as_millis()).unwrap_or(u64::MAX);
        let before = now.as_millis().saturating_sub(retention).saturating_add(1);
        let removed = self
            .store
            .remove_older(Timestamp::from_millis(before))
            .await?;
        // Counted again from the store, when next asked for.
        self.shared.totals().clear();
        Ok(removed)
    }

    async fn find(
        &self,
        request: Request,
        body: BodyHash,
        effect: Effect,
        now: Timestamp,
    ) -> Result<Found> {
        let hold = match self.shared.hold(request, body) {
            Holding::Mine(hold) => hold,
            Holding::Running(ended) => return Ok(Found::InProgress(InProgress { ended })),
            Holding::OtherBody => return Ok(Found::OtherBody),
        };
        let known = self.store.load(&hold.request).await?;
        let live = known
            .as_ref()
            .filter(|record| now < record.started_at.plus(self.limits.retention));
        let Some(record) = live else {
            let replaced = known.map(|record| record.state);
            let guard = self.start(hold, body, effect, now, replaced).await?;
            return Ok(Found::Fresh(guard));
        };
        if record.body != body {
            return Ok(Found::OtherBody);
        }
        Ok(match &record.state {
            RecordState::Finished(answer) => Found::Replay(answer.clone()),
            RecordState::FinishedTooLarge(status) => Found::Done(*status),
            state @ (RecordState::TakenOver | RecordState::Started) => {
                let guard = Guard::new(self.clone(), hold, record.clone(), effect);
                Found::Unfinished(guard, state.clone())
            }
        })
    }

    /// Writes down that a request begins, and which sandbox it will make.
    async fn start(
        &self,
        hold: Hold,
        body: BodyHash,
        effect: Effect,
        now: Timestamp,
        replaced: Option<RecordState>,
    ) -> Result<Guard> {
        let sandbox = match effect {
            Effect::Create => Some(SandboxId::from_random(crate::random::bytes()?)),
            Effect::Repeatable | Effect::Once => None,
        };
        let owner = hold.request.owner.clone();
        self.totals(&owner).await?;
        if replaced.is_none() {
            self.take_place(&owner)?;
        }
        let record = Record {
            body,
            started_at: now,
            state: RecordState::Started,
            sandbox,
        };
        let saved = self.store.save(&hold.request, &record).await;
        self.count(&owner, |totals| match (&replaced, &saved) {
            (Some(state), Ok(())) => totals.bytes = totals.bytes.saturating_sub(kept_bytes(state)),
            (None, Err(_)) => totals.records = totals.records.saturating_sub(1),
            (Some(_), Err(_)) | (None, Ok(())) => {}
        });
        saved?;
        Ok(Guard::new(self.clone(), hold, record, effect))
    }

    /// Counts one more record of `owner` before it is written, so that of two that race for the last
    /// place one is refused. When the write is given up half-way the place stays taken until the
    /// records are counted again: nobody knows whether it was written.
    fn take_place(&self, owner: &str) -> Result<()> {
        let mut totals = self.shared.totals();
        // Not there: forgotten meanwhile, to be counted again from the store.
        let Some(totals) = totals.get_mut(owner) else {
            return Ok(());
        };
        let limit = self.limits.max_owner_records;
        if totals.records >= limit {
            let message = format!("too many keys are in use; the limit is {limit}");
            let error = Error::new(ErrorKind::LimitExceeded, "idempotency.begin", message);
            return Err(error.with_field("idempotency_key"));
        }
        totals.records += 1;
        Ok(())
    }

    pub(super) fn store(&self) -> &Arc<dyn IdempotencyStore> {
        &self.store
    }

    /// Takes the room that `answer` needs, all of it or none: of several that finish at once, those
    /// that do not fit any more keep only their status.
    pub(super) async fn room_for(
        &self,
        owner: &str,
        answer: Answer,
    ) -> Result<(RecordState, Kept)> {
        self.totals(owner).await?;
        let bytes = answer.body.len() as u64;
        let mut fits = answer.size() <= self.limits.max_answer_bytes;
        self.count(owner, |totals| {
            let room = self.limits.max_owner_bytes.saturating_sub(totals.bytes);
            fits &= bytes <= room;
            if fits {
                totals.bytes += bytes;
            }
        });
        Ok(match fits {
            true => (RecordState::Finished(answer), Kept::Whole),
            false => (
                RecordState::FinishedTooLarge(answer.status),
                Kept::StatusOnly,
            ),
        })
    }

    /// Gives back what [`room_for`](Self::room_for) took.
    pub(super) fn give_room_back(&self, owner: &str, state: &RecordState) {
        self.count(owner, |totals| {
            totals.bytes = totals.bytes.saturating_sub(kept_bytes(state));
        });
    }

    /// What an owner's records take, counted in the store once and kept up to date from then on.
    async fn totals(&self, owner: &str) -> Result<()> {
        if self.shared.totals().contains_key(owner) {
            return Ok(());
        }
        let counted = self.store.totals(owner).await?;
        self.shared
            .totals()
            .entry(owner.to_owned())
            .or_insert(counted);
        Ok(())
    }

    pub(super) fn count(&self, owner: &str, change: impl FnOnce(&mut OwnerTotals)) {
        if let Some(totals) = self.shared.totals().get_mut(owner) {
            change(totals);
        }
    }
}
