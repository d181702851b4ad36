//! One function a command: parse, call, print.

mod egress;
mod events;
mod exec;
mod files;
mod images;
mod input;
mod keys;
mod listed;
mod logs;
mod run;
mod sandboxes;
mod usage;

pub(crate) use egress::egress;
pub(crate) use events::events;
pub(crate) use exec::{exec, shell};
pub(crate) use files::{cp, ls, ps};
pub(crate) use images::{ImageRow, images};
pub(crate) use keys::keys;
pub(crate) use listed::{snapshots, templates};
pub(crate) use logs::logs;
pub(crate) use run::{interrupted, run};
pub(crate) use sandboxes::{create, inspect, keepalive, remove, suspend, wake};
pub(crate) use usage::usage;
