//! The API over an engine with the fake runtime, asked as a router.

mod attach;
mod create;
mod egress;
mod events;
mod exec;
mod files;
mod keys;
mod lifecycle;
mod listing;
mod offers;
mod organization;
mod paced;
mod ports;
mod processes;
mod recreate;
mod sandboxes;
mod snapshots;
mod stream;
mod support;
mod transfers;
mod watch;
mod wire;
