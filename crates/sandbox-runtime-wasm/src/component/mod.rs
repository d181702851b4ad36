//! WASI preview 2 command components: processes like any other, over the same files, descriptors,
//! clocks and network as preview 1.
//!
//! `wasi:cli`, `wasi:clocks`, `wasi:filesystem`, `wasi:io`, `wasi:random` and `wasi:sockets` are
//! here, each a trait that [`bindings`] makes of its interface, implemented for [`Host`]. What
//! else a component imports it does not get: it is refused when it is linked, by name.
//!
//! Streams and `poll` come from `wasmtime-wasi-io`; nothing of the host's own files, clocks or
//! sockets is behind them.
//!
//! What a component makes the host keep for it is bounded: [`MAX_HANDLES`] handles, for which
//! [`STATE_BYTES`] are charged to its sandbox's memory, and what waits in streams is charged as
//! it comes.

#![expect(
    unreachable_pub,
    reason = "the bindings export the types of resources, and take public ones only"
)]

mod bindings;
mod cli;
mod clocks;
mod error;
mod filesystem;
mod link;
mod random;
mod run;
mod sockets;
mod state;
mod streams;

#[cfg(test)]
mod tests;

pub(crate) use link::{Linker, Program};
pub(crate) use run::run;
pub(crate) use state::State;

/// The most handles of a component: descriptors, streams, sockets and what it waits for.
const MAX_HANDLES: usize = 8192;

/// What is charged to the sandbox for the handles of a component, in bytes.
const STATE_BYTES: u64 = 1 << 20;

/// The most bytes that one call of a component hands to the host.
const MAX_CALL_BYTES: usize = 16 << 20;

/// The most bytes that one call reads or writes; more takes more calls.
const CHUNK_BYTES: usize = 64 << 10;
