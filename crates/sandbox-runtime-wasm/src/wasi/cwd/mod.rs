//! The working directory of programs that do not ask for one.
//!
//! Preview 1 has none, so libraries make one up. What most programs are linked with (`wasi-libc`:
//! C, C++, Rust's `std`, Python, Ruby) keeps it in a variable that starts as `/` whatever the host
//! does, puts it before a relative path, takes the leading slashes away, and hands the rest to the
//! last preopened directory of the longest fitting name, where `/` and `.` both count as empty. So
//! a preopened `.` beside `/` would catch absolute paths too, and there is none.
//!
//! Instead the variable is found when a program is compiled ([`mark`]), and gets the process's
//! working directory before the program starts ([`enter`]): then relative paths, `getcwd` and
//! `chdir` are right, and every path that comes is one from the root.
//!
//! A program of that library that never changes its directory has no such variable, and hands on a
//! pointer into the path it was given, past the slashes; as does Go, which makes paths absolute by
//! `PWD`. There the byte before the path tells what it was: see [`Paths::Given`].

mod habit;
mod mark;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use wasmtime::{Instance, Memory, Store};

use crate::engine::ProcessState;

pub(crate) use mark::mark;

/// What the paths of a program are that it gives relative to `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    /// All from the root: the program has put its working directory before them.
    Absolute,
    /// As they were given, but without leading slashes: one stands before the path in memory when
    /// it was absolute; otherwise it is relative to the working directory.
    Given,
}

/// The exports by which a marked program is known: a number that does not change, the address of
/// the variable, 0 for none.
const ABSOLUTE: &str = "sandbox:cwd";
const GIVEN: &str = "sandbox:getcwd";

/// The lowest memory, which linkers leave free or give to the deepest end of the stack; null
/// pointers and a little more are left as they are.
const LOW_START: usize = 16;
const LOW_END: usize = 1024;

/// Where `path` leads from the directory `cwd`.
pub(super) fn below<'a>(cwd: &str, path: &'a str) -> Cow<'a, str> {
    if path.starts_with('/') || cwd == "/" {
        return path.into();
    }
    format!("{}/{path}", cwd.trim_end_matches('/')).into()
}

/// Makes the process's working directory the program's own, before the program starts. Where it
/// keeps none, or not as expected, nothing is done.
///
/// # Errors
/// None today; growing memory can trap in a later wasmtime.
pub(crate) fn enter(store: &mut Store<ProcessState>, program: &Instance) -> wasmtime::Result<()> {
    let (paths, variable) = match program.get_global(&mut *store, ABSOLUTE) {
        Some(variable) => (Paths::Absolute, Some(variable)),
        None => (Paths::Given, program.get_global(&mut *store, GIVEN)),
    };
    store.data_mut().paths = paths;
    let image = store.data().process.image();
    let (Some(variable), Some(memory)) = (variable, store.data().memory) else {
        return Ok(());
    };
    let Some(address) = variable.get(&mut *store).i32() else {
        return Ok(());
    };
    if address != 0 && image.cwd != "/" {
        write(store, memory, address as u32, &image.cwd);
    }
    Ok(())
}

fn write(store: &mut Store<ProcessState>, memory: Memory, variable: u32, cwd: &str) {
    if !points_to_root(memory.data(&*store), variable) {
        return;
    }
    let Some(place) = place_for(store, memory, cwd.len() + 1) else {
        return;
    };
    let bytes = memory.data_mut(&mut *store);
    let variable = variable as usize;
    if let Some(text) = bytes.get_mut(place..place + cwd.len()) {
        text.copy_from_slice(cwd.as_bytes());
        bytes[variable..variable + 4].copy_from_slice(&(place as u32).to_le_bytes());
    }
}

/// Whether the pointer at `variable` is to the string `/`.
fn points_to_root(memory: &[u8], variable: u32) -> bool {
    let pointer = memory
        .get(variable as usize..)
        .and_then(|bytes| bytes.first_chunk());
    let target = pointer.map(|pointer| u32::from_le_bytes(*pointer) as usize);
    target
        .and_then(|at| memory.get(at..))
        .is_some_and(|text| text.starts_with(b"/\0"))
}

/// Free memory of `len` bytes, all zeros.
fn place_for(store: &mut Store<ProcessState>, memory: Memory, len: usize) -> Option<usize> {
    let low = memory.data(&*store).get(LOW_START..LOW_END)?;
    if low
        .get(..len)
        .is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    {
        return Some(LOW_START);
    }
    let end = memory.data_size(&*store);
    memory.grow(&mut *store, 1).ok().map(|_| end)
}
