//! Tools over any sandbox: run code, git, packages, diagnostics.
//!
//! They use what [`Sandbox`](sandbox_core::Sandbox) has and nothing else: programs of the sandbox do
//! the work, and what is missing is reported with what to install. Everything that comes out of a
//! sandbox is hostile: it is bounded, stripped of control characters, and never taken for more than
//! text.

mod program;
mod scratch;

pub mod code;
pub mod diagnostics;
pub mod git;
pub mod packages;
