use std::ffi::OsStr;

use crate::Failure;

/// `value` as UTF-8: names that are not cannot be asked of the kernel.
pub fn text(value: &OsStr) -> Result<&str, Failure> {
    value
        .to_str()
        .ok_or_else(|| Failure::new(format!("{}: not UTF-8", value.to_string_lossy())))
}

/// The working directory.
#[must_use]
pub fn cwd() -> String {
    sandbox_guest::start::cwd()
}

/// `name` in `dir`.
#[must_use]
pub fn join(dir: &str, name: &str) -> String {
    if dir.ends_with('/') {
        format!("{dir}{name}")
    } else {
        format!("{dir}/{name}")
    }
}
