//! What a program does first.

use std::env;

/// Makes the directory that the parent chose (`PWD`, set by the kernel) the one that relative paths of `std` start from.
///
/// A directory that has gone meanwhile leaves `/`, as preview 1 starts.
pub fn start() {
    if let Some(dir) = env::var_os("PWD") {
        let _ = env::set_current_dir(dir);
    }
}

/// The working directory, for the calls of this crate that take one.
#[must_use]
pub fn cwd() -> String {
    match env::current_dir() {
        Ok(dir) => dir.to_string_lossy().into_owned(),
        Err(_) => "/".to_owned(),
    }
}
