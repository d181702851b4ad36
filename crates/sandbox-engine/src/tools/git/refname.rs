//! Names of branches, tags, commits and remotes.

use std::fmt;

use sandbox_core::{Error, Result};

const MAX_REF_BYTES: usize = 255;

/// A branch, tag, commit or remote, as git's own rules have it and never an option: 1 to 255 bytes,
/// not starting with `-`, without blanks, control characters, `..`, `@{`, `//` and any of
/// `~^:?*[\`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefName(String);

impl RefName {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with `field`.
    pub fn new(field: &str, text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let bad_part =
            |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
        let fits = (1..=MAX_REF_BYTES).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && !text.contains(forbidden)
            && !text.split('/').any(bad_part);
        if fits {
            return Ok(Self(text));
        }
        let shown: String = text.chars().take(80).collect();
        let message = format!("{shown:?} is not a name that git allows");
        Err(Error::invalid("git.ref", field, message))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_ranges_and_refspecs_are_no_names() {
        for bad in [
            "",
            "-f",
            "--force",
            "a..b",
            "a b",
            "a\nb",
            "a:b",
            "+a:b",
            "HEAD@{1}",
            "a~1",
            "a^",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.",
            "@",
            "*",
            "[a",
            "a\\b",
            "a\0",
            &"a".repeat(256),
        ] {
            assert!(RefName::new("ref", bad).is_err(), "{bad:?}");
        }
        for good in ["main", "feature/x", "v1.2.3", "0123abcd", "HEAD", "a-b_c@d"] {
            assert!(RefName::new("ref", good).is_ok(), "{good:?}");
        }
    }
}
