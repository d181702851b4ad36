//! What the programs of a multi-call module share: choice by name, options, errors, output.
//!
//! A module is one file that holds many programs (applets); the base name of its own name, or its first argument,
//! chooses one. An applet returns its exit code or a [`Failure`], which is printed as `name: message`.

mod args;
pub mod date;
mod failure;
pub mod glob;
mod input;
mod output;
mod path;
pub mod time;
mod walk;

pub use args::{Args, number};
pub use failure::{Context, Failure, Outcome, reason, warn};
pub use input::{Input, open};
pub use lexopt::Arg::{self, Long, Short, Value};
pub use output::{Out, error_output};
pub use path::{cwd, join, text};
pub use walk::{Entry, entries};

use std::ffi::OsString;
use std::process;

/// One program of a module.
#[derive(Clone, Copy, Debug)]
pub struct Applet {
    /// What it is called by.
    pub name: &'static str,
    /// Does its work.
    pub run: fn(Args) -> Outcome,
}

/// Runs the applet that this process was called as, and exits with its code.
///
/// 127 when there is none of that name.
pub fn main(module: &str, applets: &[Applet]) -> ! {
    sandbox_guest::start();
    let mut args = std::env::args_os();
    let called = args.next().unwrap_or_default();
    let mut name = base_name(&called);
    let mut rest: Vec<OsString> = args.collect();
    if name == module && find(applets, &name).is_none() && !rest.is_empty() {
        name = rest.remove(0).to_string_lossy().into_owned();
    }
    let Some(applet) = find(applets, &name) else {
        eprintln!("{name}: applet not found in {module}");
        process::exit(127);
    };
    let code = match (applet.run)(Args::new(applet.name, rest)) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(applet.name);
            failure.code()
        }
    };
    process::exit(i32::from(code))
}

/// The name after the last `/`.
#[must_use]
pub fn base_name(path: &std::ffi::OsStr) -> String {
    let path = path.to_string_lossy();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Applets are few, and looked up once: no table by hash.
fn find<'a>(applets: &'a [Applet], name: &str) -> Option<&'a Applet> {
    applets.iter().find(|applet| applet.name == name)
}
