#![doc = include_str!("../README.md")]

#[cfg_attr(
    not(test),
    expect(unused, reason = "the sandbox over it is not there yet")
)]
mod files;
pub mod fs;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the kernel that asks is not there yet"
    )
)]
pub mod programs;
