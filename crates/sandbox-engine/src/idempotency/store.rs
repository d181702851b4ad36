//! Where requests and answers are kept: the trait, and the one in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{Result, SandboxId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BodyHash, Request};

/// An answer as it is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status, as the dialect has it.
    pub status: u16,
    /// Headers to give again, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(skip)]
    pub body: Bytes,
}

impl Answer {
    /// The bytes it takes to keep it.
    pub fn size(&self) -> u64 {
        let headers: usize = self.headers.iter().map(|(k, v)| k.len() + v.len()).sum();
        (headers + self.body.len()) as u64
    }
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordState {
    /// It began.
    Started,
    /// It was interrupted, and another one has taken it over.
    TakenOver,
    /// It has an answer.
    Finished(Answer),
    /// It has an answer that was too large to keep; this was its status.
    FinishedTooLarge(u16),
}

/// What is known about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The hash of its body.
    pub body: BodyHash,
    /// When it began.
    pub started_at: Timestamp,
    /// How far it has come.
    pub state: RecordState,
    /// The id that the sandbox it makes has, or will have.
    pub sandbox: Option<SandboxId>,
}

/// What an owner's records take.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct OwnerTotals {
    /// Records.
    pub records: u64,
    /// Bytes of bodies of kept answers.
    pub bytes: u64,
}

/// Keeps records. Every method is atomic and, where the store is on disk, on disk when it returns.
/// [`Idempotency`](super::Idempotency) makes sure that a request has one caller at a time.
#[async_trait]
pub trait IdempotencyStore: fmt::Debug + Send + Sync + 'static {
    /// The record of a request.
    async fn load(&self, request: &Request) -> Result<Option<Record>>;

    /// Sets the record of a request, replacing what there is.
    async fn save(&self, request: &Request, record: &Record) -> Result<()>;

    /// Removes the record of a request, if there is one.
    async fn remove(&self, request: &Request) -> Result<()>;

    /// Removes what began before `before`, and answers how many.
    async fn remove_older(&self, before: Timestamp) -> Result<u64>;

    /// What the records of an owner take.
    async fn totals(&self, owner: &str) -> Result<OwnerTotals>;
}

/// Records kept in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemoryIdempotency(Mutex<BTreeMap<Request, Record>>);

impl MemoryIdempotency {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Request, Record>> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl IdempotencyStore for MemoryIdempotency {
    async fn load(&self, request: &Request) -> Result<Option<Record>> {
        Ok(self.lock().get(request).cloned())
    }

    async fn save(&self, request: &Request, record: &Record) -> Result<()> {
        self.lock().insert(request.clone(), record.clone());
        Ok(())
    }

    async fn remove(&self, request: &Request) -> Result<()> {
        self.lock().remove(request);
        Ok(())
    }

    async fn remove_older(&self, before: Timestamp) -> Result<u64> {
        let mut records = self.lock();
        let all = records.len();
        records.retain(|_, record| record.started_at >= before);
        Ok((all - records.len()) as u64)
    }

    async fn totals(&self, owner: &str) -> Result<OwnerTotals> {
        let records = self.lock();
        let mine = records.iter().filter(|(request, _)| request.owner == owner);
        Ok(
            mine.fold(OwnerTotals::default(), |totals, (_, record)| OwnerTotals {
                records: totals.records + 1,
                bytes: totals.bytes + kept_bytes(&record.state),
            }),
        )
    }
}

/// The bytes of body that a state keeps.
pub(super) fn kept_bytes(state: &RecordState) -> u64 {
    match state {
        RecordState::Finished(answer) => answer.body.len() as u64,
        RecordState::Started | RecordState::TakenOver | RecordState::FinishedTooLarge(_) => 0,
    }
}
