//! What identifies a request.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox_core::{Error, Result};
use sha2::{Digest, Sha256};

/// The longest idempotency key in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;
/// The longest path that is kept as it is.
const MAX_PATH_BYTES: usize = 256;

/// A key as a caller sent it: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with field
    /// `idempotency_key`.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let fits = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            return Ok(Self(text));
        }
        let message = format!("must be 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters");
        Err(Error::invalid(
            "idempotency.key",
            "idempotency_key",
            message,
        ))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of what makes two requests the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyHash(pub [u8; 32]);

impl BodyHash {
    /// The hash of a request's parts (its query, its body, …). Where one part ends counts:
    /// `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// A request that carries a key. Keys of different owners, and on different routes, are different
/// keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Whose it is: the organisation's id.
    pub owner: String,
    /// What is called: the method and path, `POST /v1/sandboxes`.
    pub route: String,
    /// The key.
    pub key: IdempotencyKey,
}

impl Request {
    /// An HTTP request of `owner`. A path that is too long to keep is kept as its hash, which
    /// tells paths apart as well.
    pub fn http(owner: impl Into<String>, method: &str, path: &str, key: IdempotencyKey) -> Self {
        let path = match path.len() {
            0..=MAX_PATH_BYTES => path.to_owned(),
            _ => {
                let digest = Sha256::digest(path.as_bytes());
                format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest))
            }
        };
        Self {
            owner: owner.into(),
            route: format!("{method} {path}"),
            key,
        }
    }
}
