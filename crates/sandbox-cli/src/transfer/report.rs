//! What a copy did.

use serde::Serialize;

/// What was copied, and what was not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CopyReport {
    /// Files copied.
    pub(crate) files: u64,
    /// Directories made or found.
    pub(crate) directories: u64,
    /// Bytes copied.
    pub(crate) bytes: u64,
    /// What was left out, and why.
    pub(crate) skipped: Vec<Skipped>,
}

/// Something that was not copied.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    /// Where it is.
    pub(crate) path: String,
    /// Why it was left out.
    pub(crate) reason: &'static str,
}

impl CopyReport {
    pub(super) fn skip(&mut self, path: impl Into<String>, reason: &'static str) {
        self.skipped.push(Skipped {
            path: path.into(),
            reason,
        });
    }

    pub(super) fn file(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

pub(super) const LINK: &str = "a symbolic link: -L copies what it leads to";
pub(super) const SPECIAL: &str = "neither a file nor a directory";
pub(super) const LINK_TO_NO_FILE: &str = "a symbolic link to something other than a file";
pub(super) const NOT_UTF8: &str = "its name is not UTF-8";
