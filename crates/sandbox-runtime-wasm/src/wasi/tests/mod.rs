//! Programs in a sandbox of their own.

mod against_host;
mod guest;
mod host;
mod ours;
mod programs;

pub(super) use guest::program;
