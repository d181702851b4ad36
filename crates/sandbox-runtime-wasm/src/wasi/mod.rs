//! WASI preview 1 (`wasi_snapshot_preview1`), all of it, over the kernel and its files.
//!
//! Nothing a guest passes is trusted: addresses, lengths and counts are checked before anything
//! is done, and what is wrong with them is an error number, never a trap of the host. A call that
//! cannot wait is a plain function; only what can is a future.
//!
//! # Paths and the working directory
//! Preview 1 has open directories and no working directory. A process gets `/` as descriptor 3 and
//! the boundary is the sandbox's root: an absolute path starts there whatever it is relative to,
//! and `..` stops there. How relative paths come to mean what they should is told in [`cwd`].
//!
//! # Rights
//! Are not narrowed: what a process may do is its sandbox's to say. A descriptor reports whether it
//! was opened for reading and writing, because libraries ask.

mod call;
pub(crate) mod cwd;
mod descriptors;
pub(crate) mod devices;
mod directory;
mod environment;
mod files;
mod iovec;
mod layout;
mod link;
pub(crate) mod memory;
mod open;
mod paths;
mod poll;
mod process;
mod rights;
mod sockets;
mod stream;
mod subscription;
mod times;
mod transfer;

#[cfg(test)]
mod tests;

pub(crate) use link::add_to_linker;
pub(crate) use process::die_if_doomed;

/// What preview 2 does alike.
#[cfg(feature = "components")]
pub(crate) mod shared {
    pub(crate) use super::call::{Place, masked};
    pub(crate) use super::descriptors::file_type;
    pub(crate) use super::devices::is_dev;
    pub(crate) use super::directory::entry_type;
    pub(crate) use super::files::stat_of;
    pub(crate) use super::layout::{FileStat, FileType};
    pub(crate) use super::open::{OpenRequest, open_at};
    pub(crate) use super::paths::stat_at;
    pub(crate) use super::process::die_if_doomed;
    pub(crate) use super::transfer::write_some;
}
