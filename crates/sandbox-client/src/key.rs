//! The key, kept out of everything that is shown.

use std::fmt;

use reqwest::header::HeaderValue;
use sandbox_core::{Error, Result};

/// An API key, ready to be sent.
#[derive(Clone)]
pub(crate) struct Key(HeaderValue);

impl Key {
    /// # Errors
    /// `InvalidSpec` with field `api_key` unless it is visible ASCII.
    pub(crate) fn new(text: &str) -> Result<Self> {
        let refuse = || {
            let message = "must be visible ASCII characters, and not empty";
            Error::invalid("client.build", "api_key", message)
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refuse());
        }
        // The error of the conversion would hold the key.
        let header = HeaderValue::try_from(format!("Bearer {text}"));
        let mut header = header.map_err(|_| refuse())?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header, marked as a secret.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
