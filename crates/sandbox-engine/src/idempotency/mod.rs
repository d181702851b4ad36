//! Idempotency keys: the same request again gives the first answer again.
//!
//! [`Idempotency::begin`] says what a request with a key means now:
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
//!
//! # After a crash
//!
//! That a request began is in the store before it does anything, and its answer before anybody sees
//! it. A request that began and has no answer was interrupted: the process died, or its handler
//! was dropped. Whether its work was done nobody can tell, so it is not repeated silently: the next
//! one with the same key and body gets [`Begin::Unknown`]. The caller looks at the world (is the
//! sandbox there?) and either [finishes](Takeover::take_over) it in the first one's place or
//! refuses. A takeover is possible exactly once; when that one is interrupted too, the answer is
//! [`Begin::Lost`] until the key expires.
//!
//! Who is being carried out is known to the process, not to the store: one process a store.

mod key;
mod service;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(test)]
mod tests;

pub use key::{BodyHash, IdempotencyKey, MAX_IDEMPOTENCY_KEY_BYTES, Request};
pub use service::{Begin, Guard, Idempotency, IdempotencyLimits, InProgress, Kept, Takeover};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteIdempotency;
pub use store::{Answer, IdempotencyStore, MemoryIdempotency, OwnerTotals, Record, RecordState};
