//! The API over an engine with the fake runtime, asked as a router.

mod egress;
mod events;
mod files;
mod keys;
mod offers;
mod organization;
mod paced;
mod ports;
mod sandboxes;
mod snapshots;
mod stream;
mod support;
mod transfers;
mod watch;
mod wire;
