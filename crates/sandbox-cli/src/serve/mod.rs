//! `sandbox serve`: the HTTP API on this machine.

mod data_dir;
mod first_key;
mod late;
mod listen;
mod logging;
mod runtimes;

pub(crate) use data_dir::DataDir;
