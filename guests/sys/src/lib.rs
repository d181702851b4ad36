//! What programs inside a Wasm sandbox can ask of its kernel: everything of the import module
//! `sandbox_v0`, and the few calls of WASI preview 1 that `std` does not offer on `wasm32-wasip1`.
//!
//! Errors are [`std::io::Error`]s that carry the kernel's errno. On any other target each call fails with
//! [`std::io::ErrorKind::Unsupported`], so that pure parts of guest programs can be tested natively.
//!
//! `std::process::Command` does not work on `wasm32-wasip1`: [`Command`] is its stand-in. A program calls
//! [`start`] first, which makes relative paths mean what the parent's working directory says.

mod command;
pub mod errno;
pub mod fd;
pub mod files;
pub mod poll;
pub mod process;
#[expect(unsafe_code, reason = "the calls into the kernel take addresses")]
mod raw;
pub mod signal;
pub mod socket;
pub mod start;
pub mod system;

pub use command::{Child, Command, Output, Stdio, search};
pub use process::{Request, Status};
pub use start::start;
