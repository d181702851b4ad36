//! Who uses the engine: organisations, their API keys, and what they may use.
//!
//! An [`Organisation`] owns sandboxes and API keys. A key is shown once, when it is made; from then
//! on only its hash is known. [`Owners::authenticate`] turns a key into a [`Principal`], looked up in
//! the store every time, so that revoking a key takes effect with the next request, also when
//! another process revoked it.
//!
//! [`Quotas`] limit an organisation. [`Owners::reserve`] takes a sandbox's share before it is made,
//! all of it or nothing; [`Owners::check_rate`] limits requests. Compute seconds are counted by the
//! engine; [`MonthUsage`] holds them against the allowance. What is reserved lives in this process:
//! after a restart [`Owners::restore`] rebuilds it from the sandboxes that live. [`QuotaAdmission`]
//! does all of it for an engine.
//!
//! Quotas that this process changes count from the next call on. Those that another process changes
//! over the same file count within a second for what is new; what runs is stopped for a smaller
//! allowance with the organisation's next request or sandbox, or when the one before is used up.

mod admission;
mod cache;
mod id;
mod key;
mod quotas;
mod rate;
mod reservations;
mod service;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(test)]
mod tests;

pub use admission::QuotaAdmission;
pub use id::{KeyId, OrganisationId};
pub use key::{ApiKey, KeyShape, MAX_KEY_BYTES, MIN_IMPORTED_KEY_BYTES, Scope, Scopes};
pub(crate) use quotas::COMPUTE_SECONDS;
pub use quotas::{Month, MonthUsage, Quotas};
pub use rate::{RateDecision, RateLimiter};
pub use reservations::{Held, Reservation};
pub use service::{NewKey, Owners, Principal};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOwners;
pub use store::{
    KeyHash, KeyRecord, MAX_KEPT_KEYS, MAX_KEYS, MemoryOwners, Organisation, OwnersStore,
    Revocation,
};
