//! The POSIX shell inside Wasm sandboxes.

mod arith;
mod ast;
mod escape;
mod parse;
mod pattern;
mod text;

fn main() {}
