//! Names of things: checked once, then carried as values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`, so that ids survive being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(bits: u128) -> String {
    // 26 digits of 5 bits hold 128 bits; the first digit has only the top three.
    (0..26)
        .rev()
        .map(|digit| {
            let index = (bits >> (digit * 5)) & 31;
            char::from(ALPHABET[index as usize])
        })
        .collect()
}

fn no_further_rule(_: &str) -> Option<&'static str> {
    None
}

/// In a path or an address, `a/../b` is another name.
fn climbing(text: &str) -> Option<&'static str> {
    let climbs = text.split('/').any(|part| matches!(part, "" | "." | ".."));
    climbs.then_some("has an empty, '.' or '..' part between '/'")
}

/// Numbers that do not fit would wrap to another user's, and the kernel takes the last one of 32
/// bits for "change nothing".
fn user_problem(text: &str) -> Option<&'static str> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
        return Some("must be a user, or a user and a group with one ':' between them");
    }
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |part: &str| part.parse::<u32>().is_ok_and(|id| id < u32::MAX);
    let misfit = |part: &&str| part.starts_with('-') || (is_number(part) && !fits(part));
    let problem = "has a number over 4294967294, or a name that starts with '-'";
    parts.iter().any(misfit).then_some(problem)
}

/// Checks `text` against the rule that all names here share.
fn check(
    what: &'static str,
    text: &str,
    max: usize,
    allowed: fn(char) -> bool,
    rule: &str,
) -> Result<(), Error> {
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > max {
        format!("has {} bytes; the limit is {max}", text.len())
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "must start with a letter or a digit".to_owned()
    } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        format!("contains {bad:?}; allowed are {rule}")
    } else {
        return Ok(());
    };
    Err(Error::invalid("id.parse", what, problem))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal, $rule:literal, $allowed:expr, $problem:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps `text`.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) when it breaks the rule
            /// that the type's documentation states.
            pub fn new(text: impl Into<String>) -> Result<Self, Error> {
                let text = text.into();
                check($field, &text, $max, $allowed, $rule)?;
                if let Some(problem) = $problem(&text) {
                    return Err(Error::invalid("id.parse", $field, problem));
                }
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name_type!(
    /// The id of a sandbox, unique for ever: `sbx_` and 26 base-32 digits when made here.
    ///
    /// 1 to 64 bytes of `a-z`, `0-9`, `_` and `-`, starting with a letter or a digit, so that it
    /// is safe in a path, a label and a container name; one made here also in a host name, once its
    /// `_` is replaced.
    SandboxId, "sandbox_id", 64, "a-z, 0-9, '_' and '-'",
    |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'),
    no_further_rule
);

name_type!(
    /// The name of a template.
    ///
    /// 1 to 128 bytes of ASCII letters, digits, `_`, `-`, `.`, `/` and `:`, starting with a
    /// letter or a digit, without an empty, `.` or `..` part between slashes.
    TemplateName, "template", 128, "letters, digits, '_', '-', '.', '/' and ':'",
    |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':'),
    climbing
);

name_type!(
    /// The name under which an engine knows a runtime (`docker`, `wasm`).
    ///
    /// 1 to 32 bytes of `a-z`, `0-9`, `_` and `-`.
    RuntimeName, "runtime", 32, "a-z, 0-9, '_' and '-'",
    |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'),
    no_further_rule
);

name_type!(
    /// The id of a snapshot, as the runtime that made it understands it.
    ///
    /// 1 to 128 bytes of `a-z`, `0-9`, `_`, `-`, `.` and `:`.
    SnapshotId, "snapshot_id", 128, "a-z, 0-9, '_', '-', '.' and ':'",
    |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | ':'),
    no_further_rule
);

name_type!(
    /// A user inside a sandbox: a name, a numeric id, or either with `:group`.
    ///
    /// 1 to 64 bytes of ASCII letters, digits, `_`, `-`, `.` and at most one `:`, which has something
    /// on both sides. Numbers are at most 4294967294.
    User, "user", 64, "letters, digits, '_', '-', '.' and ':'",
    |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'),
    user_problem
);

impl SandboxId {
    /// The id that `random` stands for. This crate has no source of randomness: give it 16 bytes
    /// from the system's, or ids can be guessed.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(format!("sbx_{}", encode(u128::from_be_bytes(random))))
    }
}

impl SnapshotId {
    /// The id that `random` stands for, as [`SandboxId::from_random`].
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(format!("snap-{}", encode(u128::from_be_bytes(random))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_with_strange_characters_are_refused() {
        for bad in [
            "",
            "-a",
            "_a",
            "A",
            "a b",
            "a/../b",
            "é",
            "a\0",
            &"a".repeat(65),
        ] {
            let error = SandboxId::new(bad).unwrap_err();
            assert_eq!(error.field(), Some("sandbox_id"), "{bad:?}");
        }
        assert!(serde_json::from_str::<SandboxId>("\"../x\"").is_err());
    }

    #[test]
    fn users_that_mean_another_user_to_the_kernel_are_refused() {
        for good in [
            "root",
            "0",
            "0:0",
            "1000:users",
            "a.b-c_d",
            "4294967294",
            "4294967295x",
        ] {
            assert!(User::new(good).is_ok(), "{good:?}");
        }
        // The last number of 32 bits tells setresuid and chown to change nothing.
        for bad in [
            "0:",
            "a:b:c",
            "a::b",
            "4294967295",
            "0:4294967295",
            "004294967295",
            "4294967296",
            "18446744073709551616",
            "a:-1",
        ] {
            let error = User::new(bad).unwrap_err();
            assert_eq!(error.field(), Some("user"), "{bad:?}");
        }
        assert!(serde_json::from_str::<User>("\"4294967295\"").is_err());
    }

    #[test]
    fn template_names_do_not_climb() {
        for bad in ["a/../b", "a/..", "a/./b", "a//b", "a/"] {
            assert!(TemplateName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TemplateName::new("team/python:3.13").is_ok());
    }

    proptest! {
        #[test]
        fn random_ids_are_valid_and_distinct(a: [u8; 16], b: [u8; 16]) {
            let (left, right) = (SandboxId::from_random(a), SandboxId::from_random(b));
            prop_assert!(SandboxId::new(left.as_str()).is_ok());
            prop_assert_eq!(a == b, left == right);
        }
    }
}
