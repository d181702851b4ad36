//! Templates and sizes: names that callers use for what an operator configured.
//!
//! [`Templates::builtin`] has what works without any configuration; [`Templates::from_toml`] adds
//! to it and replaces what has the same name:
//!
//! ```toml
//! [sizes.shared-cpu-1x]
//! cpus = 0.5
//! memory = "256MiB"
//!
//! [templates.data]
//! runtime = "docker"
//! image = "python:3.12-slim"
//! size = "shared-cpu-2x"       # or cpus, memory, disk, pids, open_files one by one
//! aliases = ["pandas"]
//! env = { LANG = "C.UTF-8" }
//! workdir = "/srv"
//! user = "1000"
//! egress = { mode = "deny_all", allow_domains = ["packages.example.org"] }
//! start = ["python3", "-m", "http.server"]   # or one line for the shell
//! start_timeout = "30s"
//! ```

mod builtin;
mod config;
mod nearest;
mod registry;
mod sizes;

#[cfg(test)]
mod tests;

pub use registry::Templates;
pub use sizes::{DEFAULT_SIZE, Size, Sizes};
