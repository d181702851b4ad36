//! Processes that clients start.

mod account;
mod adopt;
mod child;
mod events;
mod exit;
mod input;
mod launch;
mod output;
mod plan;
mod process;
mod pty;
mod supervisor;

pub(super) use account::{Accounts, Identity};
pub(super) use process::{Exec, ExecId, Pipe};
pub(super) use supervisor::Supervisor;
