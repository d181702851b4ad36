//! Tokens and passwords, and keeping them out of messages.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox_core::{Error, Result};

use crate::tools::program::quote;

const MAX_SECRET_BYTES: usize = 8192;
/// What hosts take as the user of a token when nobody says another one.
const TOKEN_USER: &str = "x-access-token";

/// A user and a password, or a token. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
    /// `host` or `host:port`, in lower case.
    only_for: Option<String>,
}

impl Credentials {
    /// A token.
    ///
    /// # Errors
    /// As [`with_username`](Self::with_username).
    pub fn token(token: impl Into<String>) -> Result<Self> {
        Self::with_username(TOKEN_USER, token)
    }

    /// A user and a password, or the user that a host wants beside a token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with field `token` or
    /// `username` unless both are 1 to 8192 bytes without control characters.
    pub fn with_username(username: impl Into<String>, password: impl Into<String>) -> Result<Self> {
        let (username, password) = (username.into(), password.into());
        check("username", &username, 1)?;
        check("token", &password, 1)?;
        Ok(Self {
            username,
            password,
            only_for: None,
        })
    }

    /// Gives them to one host alone (`github.com`, `git.example:8443`), whatever remote the
    /// repository names. Without this they go to the host that its configuration names, and
    /// whoever can write files in the sandbox can change that.
    #[must_use]
    pub fn only_for(mut self, host: &str) -> Self {
        self.only_for = Some(host.to_ascii_lowercase());
        self
    }

    /// Whether a host may have them.
    pub(super) fn are_for(&self, authority: &str) -> bool {
        self.only_for
            .as_deref()
            .is_none_or(|host| host == authority)
    }

    /// What stood in a URL: a token there may be the name, with no password.
    pub(super) fn from_url(username: String, password: String) -> Result<Self> {
        check("url", &username, 0)?;
        check("url", &password, 0)?;
        Ok(Self {
            username,
            password,
            only_for: None,
        })
    }

    /// The user.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password or token.
    pub fn expose(&self) -> &str {
        &self.password
    }

    /// Everything by which somebody could learn the secret.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![self.password.clone()];
        if self.username != TOKEN_USER {
            secrets.push(self.username.clone());
        }
        let encoded: Vec<String> = secrets
            .iter()
            .map(|secret| percent_encode(secret))
            .collect();
        secrets.extend(encoded);
        secrets.push(STANDARD.encode(format!("{}:{}", self.username, self.password)));
        secrets.retain(|secret| !secret.is_empty());
        // The longest first: one may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

fn check(field: &'static str, text: &str, min: usize) -> Result<()> {
    let fits = (min..=MAX_SECRET_BYTES).contains(&text.len()) && !text.contains(char::is_control);
    if fits {
        return Ok(());
    }
    let message = format!("must be {min} to {MAX_SECRET_BYTES} bytes without control characters");
    Err(Error::invalid("git.credentials", field, message))
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What git said, fit for an error message: without the secret, without any `user:password@` of
/// an address, bounded.
pub(super) fn redact(text: &str, credentials: Option<&Credentials>) -> String {
    let mut text = text.to_owned();
    for secret in credentials.map(Credentials::secrets).unwrap_or_default() {
        text = text.replace(&secret, "***");
    }
    let words: Vec<String> = text.split_whitespace().map(without_userinfo).collect();
    quote(&words.join(" "))
}

fn without_userinfo(word: &str) -> String {
    let Some((before, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{before}://***{}", &rest[at..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_spelling() {
        let credentials = Credentials::with_username("me", "s3cr#t/x").unwrap();
        let basic = STANDARD.encode("me:s3cr#t/x");
        let said = format!(
            "fatal: s3cr#t/x\nhttps://me:s3cr%23t%2Fx@host/a Authorization: Basic {basic} \
             'https://other:pw@host/'"
        );
        let shown = redact(&said, Some(&credentials));
        for secret in ["s3cr", &basic, "other:pw"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("@host/a"), "{shown}");
    }

    #[test]
    fn secrets_that_would_break_the_protocol_are_refused() {
        for bad in ["", "a\nb", "a\0b", "a\rb", &"x".repeat(8193)] {
            assert!(Credentials::token(bad).is_err());
        }
        let credentials = Credentials::token("ghp_secret").unwrap();
        assert!(!format!("{credentials:?}").contains("ghp_secret"));
    }
}
