//! What the API answers, as lines and tables for people.

mod egress;
mod events;
mod files;
mod images;
mod keys;
mod listed;
mod sandbox;
mod units;
mod usage;

pub(crate) use egress::{explanation, policy};
pub(crate) use events::event;
pub(crate) use files::files;
pub(crate) use images::images;
pub(crate) use keys::keys;
pub(crate) use listed::{processes, snapshots, system_processes, template, templates};
pub(crate) use sandbox::{sandbox, sandboxes};
pub(crate) use usage::usage;
