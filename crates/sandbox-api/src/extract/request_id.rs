//! The id of a request.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;

/// The id of a request: as its sender chose it, or made here. It is in the answer's `X-Request-ID`
/// and in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

/// The longest id that is taken over, in bytes.
const MAX_BYTES: usize = 128;

impl RequestId {
    /// The id that a sender chose; `None` unless it is 1 to 128 visible ASCII characters.
    pub(crate) fn chosen(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let fits = (1..=MAX_BYTES).contains(&text.len());
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && visible).then(|| Self(text.into()))
    }

    /// A new one, from 128 random bits.
    pub(crate) fn random() -> Self {
        let mut bits = [0; 16];
        // Without randomness the id says nothing, and the request goes on all the same.
        let _ = getrandom::fill(&mut bits);
        Self(format!("req_{:032x}", u128::from_be_bytes(bits)).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the answer's header.
    pub(crate) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let found = parts.extensions.get::<Self>().cloned();
        Ok(found.unwrap_or_else(Self::random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_in_a_log_is_taken_over() {
        let chosen = |text: &[u8]| RequestId::chosen(&HeaderValue::from_bytes(text).unwrap());
        assert_eq!(chosen(b"abc-1").unwrap().as_str(), "abc-1");
        assert!(chosen(&[b'a'; 128]).is_some());
        for bad in [&b""[..], b"a b", b"caf\xc3\xa9", b"a\tb", &[b'a'; 129]] {
            assert!(chosen(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn random_ids_differ() {
        assert_ne!(RequestId::random(), RequestId::random());
    }
}
