//! Idempotency keys: the same request again gives the first answer again, also when the server was
//! killed in between.
//!
//! # For HTTP handlers
//!
//! In go the owner, the method, the path, the key and a digest of whatever else makes two requests
//! the same (query and body); out comes the right to carry the request out, or the status, headers
//! and body that were answered before.
//!
//! ```
//! use bytes::Bytes;
//! use sandbox_core::{ErrorKind, Result};
//! use sandbox_engine::idempotency::{
//!     Answer, BodyHash, Claim, Effect, Idempotency, IdempotencyKey, Request,
//! };
//! use sandbox_engine::{CreateRequest, Engine, OwnerId};
//!
//! async fn create(
//!     engine: &Engine,
//!     keys: &Idempotency,
//!     owner: OwnerId,
//!     key: &str,
//!     body: &[u8],
//!     wanted: CreateRequest,
//! ) -> Result<Answer> {
//!     let key = IdempotencyKey::new(key)?;
//!     let request = Request::http(owner.as_str(), "POST", "/v1/sandboxes", key);
//!     let body = BodyHash::of([body]);
//!     let claim = keys.claim(request, body, Effect::Create, || engine.now()).await?;
//!     let mut guard = match claim {
//!         Claim::Run(guard) => guard,
//!         Claim::Answered(answer) => return Ok(answer),
//!     };
//!     let made = engine.create_once(&mut guard, wanted.owner(owner)).await;
//!     let answer = match &made {
//!         Ok(record) => answer(201, record.id().as_str()),
//!         Err(error) => answer(if error.is_retryable() { 503 } else { 422 }, error.message()),
//!     };
//!     match made {
//!         Ok(_) => guard.finish(answer.clone()).await?,
//!         Err(error) => guard.fail(&error, answer.clone()).await?,
//!     };
//!     Ok(answer)
//! }
//! # fn answer(status: u16, body: &str) -> Answer {
//! #     Answer { status, headers: Vec::new(), body: Bytes::from(body.to_owned()) }
//! # }
//! ```
//!
//! Run the part from `claim` to `finish` in a task of its own, so that a client that leaves does
//! not interrupt it. A body that is streamed has no digest when it begins: writing a file is
//! repeatable, and needs no key.
//!
//! # After a crash
//!
//! That a request began is in the store before it does anything, and its answer before anybody sees
//! it. A request that began and has no answer was interrupted: the process died, or its handler
//! was dropped. What the next one with the same key and body gets depends on the [`Effect`]:
//!
//! | effect | the next request |
//! |---|---|
//! | `Create` | goes on with the id that was written down before anything was done: answers the sandbox, waits for it, or makes it |
//! | `Repeatable` | does it again, which comes to the same |
//! | `Once` | `Conflict` with field `idempotency_key`: it may have run, and is not run again |
//!
//! So a create with a key ends with one sandbox, however often it is sent and wherever the server is
//! killed, while the key is remembered ([`IdempotencyLimits::retention`]).
//!
//! # Bounds
//!
//! A key has at most [`MAX_IDEMPOTENCY_KEY_BYTES`]. [`IdempotencyLimits`] bound the keys and the
//! bytes of each owner; of an answer that is too large the status is remembered, and the same
//! request again is a `Conflict` that says so.
//!
//! Who is being carried out is known to the process, not to the store: one process a store.
//!
//! # One step deeper
//!
//! [`Idempotency::begin`] leaves it to the caller what to do about an interrupted request, which it
//! can take over exactly once: after that the answer is [`Begin::Lost`] until the key expires.
//!
//! ```text
//!              nothing known, or expired          -> Fresh(guard)     carry it out
//!              being carried out in this process  -> InProgress(wait) wait, or tell the caller
//!              finished, same body                -> Replay(answer)   give the answer again
//!              finished, answer too large to keep -> Done(status)     it was done; look for yourself
//!              same key, another body             -> Conflict         refuse
//!              began, never finished              -> Unknown(takeover)
//!              began, taken over, never finished  -> Lost             refuse, for good
//! ```

mod begin;
mod guard;
mod key;
mod running;
mod service;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(test)]
mod tests;

pub use begin::{Begin, Claim, Effect, InProgress};
pub(crate) use guard::Progress;
pub use guard::{Guard, Kept, Takeover};
pub use key::{BodyHash, IdempotencyKey, MAX_IDEMPOTENCY_KEY_BYTES, Request};
pub use service::{Idempotency, IdempotencyLimits};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteIdempotency;
pub use store::{Answer, IdempotencyStore, MemoryIdempotency, OwnerTotals, Record, RecordState};
