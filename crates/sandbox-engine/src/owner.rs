//! Whose a sandbox is.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The longest owner id in bytes.
pub const MAX_OWNER_BYTES: usize = 64;

/// Who a sandbox belongs to. The engine compares it and nothing else: an embedder with one user
/// takes [`OwnerId::default`], a server the id of an organisation.
///
/// 1 to 64 bytes of ASCII letters, digits, `_`, `-` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerId(String);

impl OwnerId {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// `InvalidSpec` with field `owner` when it is empty, longer than [`MAX_OWNER_BYTES`] or
    /// holds a character that is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if (1..=MAX_OWNER_BYTES).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(Self(text));
        }
        let message =
            format!("must be 1 to {MAX_OWNER_BYTES} of ASCII letters, digits, '_', '-' and '.'");
        Err(Error::invalid("owner.parse", "owner", message))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for OwnerId {
    /// `default`: for programs that have one owner.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OwnerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for OwnerId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<OwnerId> for String {
    fn from(owner: OwnerId) -> Self {
        owner.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_that_could_mean_something_else_further_down_are_refused() {
        for bad in ["", "a b", "a/b", "é", "a\0", &"a".repeat(65)] {
            assert_eq!(
                OwnerId::new(bad).unwrap_err().field(),
                Some("owner"),
                "{bad:?}"
            );
        }
        assert_eq!(OwnerId::new("org_1").unwrap().as_str(), "org_1");
    }
}
