#![doc = include_str!("../README.md")]
// Goes once the runtime is whole.
#![expect(
    dead_code,
    unused_imports,
    reason = "the runtime over the kernel is not there yet"
)]

mod abi;
mod bare;
mod builder;
mod capabilities;
mod commands;
#[cfg(feature = "components")]
mod component;
mod engine;
mod events;
mod files;
pub mod fs;
mod jobs;
mod kernel;
mod lock;
pub mod net;
mod origin;
mod process;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the kernel that asks is not there yet"
    )
)]
pub mod programs;
mod random;
mod runtime;
mod sandbox;
mod sandboxes;
mod sched;
mod shared;
mod snapshots;
mod wasi;

pub use builder::WasmBuilder;
pub use runtime::WasmRuntime;
