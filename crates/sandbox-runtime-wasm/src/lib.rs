#![doc = include_str!("../README.md")]

mod abi;
mod builder;
mod capabilities;
mod commands;
#[cfg(feature = "components")]
mod component;
mod engine;
mod events;
mod files;
pub mod fs;
pub mod images;
mod jobs;
mod kernel;
mod lock;
pub mod net;
mod origin;
mod process;
pub mod programs;
mod random;
pub mod receipt;
mod runtime;
mod sandbox;
mod sandboxes;
mod sched;
mod shared;
mod snapshots;
mod wasi;

pub use builder::WasmBuilder;
pub use runtime::WasmRuntime;
