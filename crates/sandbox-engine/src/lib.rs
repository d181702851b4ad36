#![doc = include_str!("../README.md")]

mod access;
mod admission;
mod allowance;
mod builder;
mod clock;
mod config;
mod core;
mod driver;
mod engine;
mod entry;
mod gate;
mod handle;
mod list;
mod lock;
mod meter;
mod once;
mod owner;
mod prepare;
mod processes;
mod provision;
mod quarantine;
mod random;
mod record;
mod registry;
mod request;
mod resolve;
mod slot;
mod snapshots;
mod usage;
mod watcher;

pub mod events;
pub mod idempotency;
pub mod owners;
pub mod process;
pub mod store;
pub mod templates;
pub mod tools;

pub use admission::{Admission, Unlimited};
pub use builder::EngineBuilder;
pub use clock::{Clock, SystemClock};
pub use config::EngineConfig;
pub use engine::Engine;
pub use handle::SandboxHandle;
pub use owner::{MAX_OWNER_BYTES, OwnerId};
pub use provision::{OnDemand, Provisioner};
pub use record::SandboxRecord;
pub use request::{
    CreateRequest, Cursor, DEFAULT_PAGE, ListFilter, MAX_PAGE, Page, ResourceOverrides,
};
pub use snapshots::SnapshotRecord;
pub use usage::Usage;
