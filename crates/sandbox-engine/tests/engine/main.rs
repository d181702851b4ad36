//! The engine over the fake runtime, in time that only the test moves.

mod allowance;
mod crash;
mod dropped;
mod egress;
mod events;
mod failing_store;
mod hostile;
mod idle;
mod lifecycle;
mod listing;
mod once;
mod processes;
mod quarantine;
mod recovery;
mod requests;
mod snapshots;
mod starts;
mod support;
mod usage;
