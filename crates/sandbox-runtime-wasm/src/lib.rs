#![doc = include_str!("../README.md")]
// Goes once the runtime is whole.
#![expect(
    dead_code,
    unused_imports,
    reason = "the runtime over the kernel is not there yet"
)]

mod abi;
mod engine;
#[cfg_attr(
    not(test),
    expect(unused, reason = "the sandbox over it is not there yet")
)]
mod files;
pub mod fs;
mod kernel;
mod lock;
pub mod net;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the kernel that asks is not there yet"
    )
)]
pub mod programs;
mod sched;
mod wasi;
