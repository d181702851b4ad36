//! The tools against real programs of this machine: git, python3, node, pip, npm, cargo, apt-get.

mod code;
mod diagnostics;
mod git;
mod git_remote;
mod git_tokens;
mod http;
mod local;
mod packages;
