//! Ids of organisations and keys.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The longest id in bytes.
const MAX_ID_BYTES: usize = 64;

/// Fills `N` bytes from the system's source of randomness.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| {
        let message = "the system's source of randomness does not answer";
        Error::new(ErrorKind::Unavailable, "owners.random", message)
            .with_source(std::io::Error::other(e.to_string()))
    })?;
    Ok(bytes)
}

/// Lower-case hexadecimal digits of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn check(field: &'static str, text: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let fits = (1..=MAX_ID_BYTES).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(allowed);
    if fits {
        return Ok(());
    }
    let message = format!("must be 1 to {MAX_ID_BYTES} of a-z, 0-9, '_' and '-'");
    Err(Error::invalid("owners.id", field, message))
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps `text`.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidSpec`] unless it is 1 to 64 bytes of `a-z`, `0-9`, `_` and
            /// `-` that start with a letter or a digit.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                check($field, &text)?;
                Ok(Self(text))
            }

            /// A new id from 128 random bits.
            ///
            /// # Errors
            /// [`ErrorKind::Unavailable`] when the system gives no randomness.
            pub fn generate() -> Result<Self> {
                Ok(Self(format!("{}{}", $prefix, hex(&random::<16>()?))))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id_type!(
    /// The id of an organisation: `org_` and 32 hexadecimal digits when made here.
    OrganisationId, "org_", "organisation"
);

id_type!(
    /// The id of an API key, which is no secret: `key_` and 32 hexadecimal digits when made here.
    KeyId, "key_", "key"
);
