//! The POSIX shell inside Wasm sandboxes: `/bin/sh`, and `/bin/bash` with some of bash's ways.
//!
//! Expansion, builtins and control flow run in one process; programs are processes of the sandbox's kernel. There is no
//! `fork`: a subshell runs within the shell where nobody can tell (`exec::contained`), else it is another `/bin/sh` that
//! is handed the shell's state (`state`).

mod arith;
mod ast;
mod builtins;
mod clock;
mod escape;
mod exec;
mod expand;
mod fds;
mod flow;
mod input;
mod invocation;
mod jobs;
mod options;
mod parse;
mod pattern;
mod shell;
mod start;
mod state;
mod text;
mod traps;
mod vars;

fn main() {
    std::process::exit(start::run());
}
