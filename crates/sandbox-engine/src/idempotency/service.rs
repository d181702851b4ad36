//! What a request with a key means now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use tokio::sync::watch;

use super::store::{OwnerTotals, kept_bytes};
use super::{Answer, BodyHash, IdempotencyStore, Record, RecordState, Request};

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

/// What [`Idempotency::begin`] found.
#[derive(Debug)]
pub enum Begin {
    /// Nobody has asked this before: carry it out and [finish](Guard::finish) it.
    Fresh(Guard),
    /// It was carried out: this was the answer.
    Replay(Answer),
    /// It was carried out, and the answer was too large to keep: this was its status.
    Done(u16),
    /// It is being carried out now, with the same body.
    InProgress(InProgress),
    /// The key was used with another body.
    Conflict,
    /// It began and was interrupted: whether it was carried out is unknown.
    Unknown(Takeover),
    /// It was interrupted, taken over, and interrupted again.
    Lost,
}

impl Begin {
    /// The error that a caller is told for the outcomes that end a request: `Conflict` with field
    /// `idempotency_key` for everything but [`Fresh`](Self::Fresh), [`Replay`](Self::Replay) and
    /// [`Unknown`](Self::Unknown).
    pub fn refusal(&self) -> Option<Error> {
        let message = match self {
            Self::Fresh(_) | Self::Replay(_) | Self::Unknown(_) => return None,
            Self::Done(status) => format!(
                "the request was carried out with status {status}; its answer was too large to keep"
            ),
            Self::InProgress(_) => "a request with this key is being carried out".to_owned(),
            Self::Conflict => "the key was used with another request body".to_owned(),
            Self::Lost => {
                "a request with this key was interrupted; whether it was carried out is unknown"
                    .to_owned()
            }
        };
        let error = Error::new(ErrorKind::Conflict, "idempotency.begin", message);
        Some(error.with_field("idempotency_key"))
    }
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It will be given again.
    Whole,
    /// It was too large; only the status is kept.
    StatusOnly,
}

/// A request that somebody else in this process is carrying out.
#[derive(Debug)]
pub struct InProgress {
    ended: watch::Receiver<()>,
}

impl InProgress {
    /// Waits until it ends, however it does; then [`Idempotency::begin`] says what it came to.
    pub async fn wait(mut self) {
        // The sender never sends: it goes away with the guard, and that is the news.
        while self.ended.changed().await.is_ok() {}
    }
}

#[derive(Debug)]
struct Running {
    body: BodyHash,
    ended: watch::Receiver<()>,
}

/// What this process knows besides the store.
#[derive(Debug, Default)]
struct Shared {
    running: Mutex<HashMap<Request, Running>>,
    totals: Mutex<HashMap<String, OwnerTotals>>,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<Request, Running>> {
        // Nothing below the lock can panic half-way through a change.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<String, OwnerTotals>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a request to one caller in this process.
#[derive(Debug)]
struct Claim {
    shared: Arc<Shared>,
    request: Request,
    /// Dropped after the entry is gone, so that those who wait find it gone.
    _ended: watch::Sender<()>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.running().remove(&self.request);
    }
}

/// Whose a request is.
enum Claimed {
    Mine(Claim),
    /// It is being carried out; the receiver fails when it ends.
    Running(watch::Receiver<()>),
    /// Its key is in use for another body.
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

    /// Says what `request` means at `now`.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] with field `idempotency_key` when the owner has
    /// [`max_owner_records`](IdempotencyLimits::max_owner_records); the store's.
    pub async fn begin(&self, request: Request, body: BodyHash, now: Timestamp) -> Result<Begin> {
        let claim = match self.claim(request, body) {
            Claimed::Mine(claim) => claim,
            Claimed::Running(ended) => return Ok(Begin::InProgress(InProgress { ended })),
            Claimed::OtherBody => return Ok(Begin::Conflict),
        };
        let known = self.store.load(&claim.request).await?;
        let live = known
            .as_ref()
            .filter(|record| now < record.started_at.plus(self.limits.retention));
        let Some(record) = live else {
            let replaced = known.map(|record| record.state);
            return self.start(claim, body, now, replaced).await;
        };
        if record.body != body {
            return Ok(Begin::Conflict);
        }
        Ok(match &record.state {
            RecordState::Finished(answer) => Begin::Replay(answer.clone()),
            RecordState::FinishedTooLarge(status) => Begin::Done(*status),
            RecordState::TakenOver => Begin::Lost,
            RecordState::Started => Begin::Unknown(Takeover(self.guard(claim, record.clone()))),
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

    /// Makes this caller the only one, or says why it is not.
    fn claim(&self, request: Request, body: BodyHash) -> Claimed {
        let mut running = self.shared.running();
        match running.get(&request) {
            Some(other) if other.body == body => return Claimed::Running(other.ended.clone()),
            Some(_) => return Claimed::OtherBody,
            None => {}
        }
        let (sender, ended) = watch::channel(());
        running.insert(request.clone(), Running { body, ended });
        Claimed::Mine(Claim {
            shared: Arc::clone(&self.shared),
            request,
            _ended: sender,
        })
    }

    async fn start(
        &self,
        claim: Claim,
        body: BodyHash,
        now: Timestamp,
        replaced: Option<RecordState>,
    ) -> Result<Begin> {
        let owner = claim.request.owner.clone();
        self.totals(&owner).await?;
        if replaced.is_none() {
            self.take_place(&owner)?;
        }
        let record = Record {
            body,
            started_at: now,
            state: RecordState::Started,
        };
        let saved = self.store.save(&claim.request, &record).await;
        self.count(&owner, |totals| match (&replaced, &saved) {
            (Some(state), Ok(())) => totals.bytes = totals.bytes.saturating_sub(kept_bytes(state)),
            (None, Err(_)) => totals.records = totals.records.saturating_sub(1),
            (Some(_), Err(_)) | (None, Ok(())) => {}
        });
        saved?;
        Ok(Begin::Fresh(self.guard(claim, record)))
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

    fn guard(&self, claim: Claim, record: Record) -> Guard {
        Guard {
            keys: self.clone(),
            claim,
            record,
        }
    }

    /// What an owner's records take, counted in the store once and kept up to date from then on.
    async fn totals(&self, owner: &str) -> Result<OwnerTotals> {
        if let Some(known) = self.shared.totals().get(owner) {
            return Ok(*known);
        }
        let counted = self.store.totals(owner).await?;
        Ok(*self
            .shared
            .totals()
            .entry(owner.to_owned())
            .or_insert(counted))
    }

    fn count(&self, owner: &str, change: impl FnOnce(&mut OwnerTotals)) {
        if let Some(totals) = self.shared.totals().get_mut(owner) {
            change(totals);
        }
    }
}

/// The right to carry a request out. Dropping it says that nobody knows how far it came: the next
/// request with this key gets [`Begin::Unknown`].
#[derive(Debug)]
#[must_use = "a request that is not finished counts as interrupted"]
pub struct Guard {
    keys: Idempotency,
    claim: Claim,
    record: Record,
}

impl Guard {
    /// Keeps the answer; give it to the caller afterwards.
    ///
    /// # Errors
    /// The store's; the request then counts as interrupted.
    pub async fn finish(self, answer: Answer) -> Result<Kept> {
        let limits = &self.keys.limits;
        let owner = &self.claim.request.owner;
        let bytes = answer.body.len() as u64;
        let room = limits
            .max_owner_bytes
            .saturating_sub(self.keys.totals(owner).await?.bytes);
        let whole = answer.size() <= limits.max_answer_bytes && bytes <= room;
        let state = if whole {
            RecordState::Finished(answer)
        } else {
            RecordState::FinishedTooLarge(answer.status)
        };
        let record = Record {
            state,
            ..self.record.clone()
        };
        self.keys.store.save(&self.claim.request, &record).await?;
        let added = kept_bytes(&record.state);
        self.keys.count(owner, |totals| totals.bytes += added);
        Ok(if whole { Kept::Whole } else { Kept::StatusOnly })
    }

    /// Frees the key: for a request that was refused before it did anything, or that failed in a
    /// way that may be tried again.
    ///
    /// # Errors
    /// The store's; the request then counts as interrupted.
    pub async fn abandon(self) -> Result<()> {
        self.keys.store.remove(&self.claim.request).await?;
        self.keys.count(&self.claim.request.owner, |totals| {
            totals.records = totals.records.saturating_sub(1);
        });
        Ok(())
    }
}

/// The one chance to finish a request that was interrupted. Dropping it leaves things as they are.
#[derive(Debug)]
pub struct Takeover(Guard);

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
            .store
            .save(&guard.claim.request, &guard.record)
            .await?;
        Ok(guard)
    }
}
