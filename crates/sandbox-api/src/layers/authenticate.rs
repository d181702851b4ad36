//! Who asks.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use sandbox_engine::owners::{KeyHash, Principal};

use crate::error::{ApiError, Reason};
use crate::extract::Caller;
use crate::state::AppState;

const HOW: &str = "pass one as 'Authorization: Bearer KEY' or 'X-API-Key: KEY' \
                   (the `sandbox` program: SANDBOX_API_KEY)";

/// Finds out who presents the request's key, or takes the [`Principal`] that a layer of the
/// embedder's has put into the request's extensions: no client can put one there.
///
/// # Errors
/// `Unauthorized` without a key and for one that is unknown or revoked, which of them is nobody's
/// business; `RateLimited` for one from an address that tries too many; the store's.
pub(super) async fn caller(state: &AppState, parts: &Parts) -> Result<Caller, ApiError> {
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(Caller::from(principal.clone()));
    }
    let key = presented(&parts.headers)?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    let now = state.now();
    let _leave = state.failures().leave(peer, key, now).await?;
    match state.owners().authenticate(key, now).await? {
        Some(principal) => {
            state.failures().succeeded(key, now);
            Ok(Caller::proven(principal, KeyHash::of(key)))
        }
        None => {
            state.failures().failed(peer, key, now);
            state.metrics().authentication_failed();
            Err(unauthorized("the API key is not valid"))
        }
    }
}

fn presented(headers: &HeaderMap) -> Result<&str, ApiError> {
    let bearer = headers.get_all(AUTHORIZATION).iter().map(bearer);
    let own = headers.get_all("x-api-key").iter().map(text);
    let mut keys = bearer.chain(own);
    let key = keys
        .next()
        .unwrap_or(Err(unauthorized("an API key is needed")))?;
    // Of two keys somebody in between may have looked at the other one.
    match keys.all(|other| other.is_ok_and(|other| other == key)) {
        true => Ok(key),
        false => Err(unauthorized("the request has several API keys that differ")),
    }
}

fn bearer(value: &HeaderValue) -> Result<&str, ApiError> {
    let parts = text(value)?.split_once(' ');
    let key = parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    key.map(|(_, key)| key.trim())
        .ok_or_else(|| unauthorized("the Authorization header has no Bearer key"))
}

fn text(value: &HeaderValue) -> Result<&str, ApiError> {
    let text = value.to_str();
    text.map_err(|_| unauthorized("the API key is not valid"))
}

fn unauthorized(what: &str) -> ApiError {
    ApiError::new(Reason::Unauthorized, format!("{what}; {HOW}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = all.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (axum::http::HeaderName::from_static(name), value)
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn a_key_is_found_in_either_header() {
        for found in [
            [("authorization", "Bearer k1")],
            [("authorization", "bearer  k1 ")],
            [("x-api-key", "k1")],
        ] {
            assert_eq!(presented(&headers(&found)).unwrap(), "k1", "{found:?}");
        }
        let both = [("authorization", "Bearer k1"), ("x-api-key", "k1")];
        assert_eq!(presented(&headers(&both)).unwrap(), "k1");
    }

    #[test]
    fn what_is_no_key_or_two_is_refused_with_a_word_on_how() {
        for refused in [
            &[][..],
            &[("authorization", "k1")],
            &[("authorization", "Basic azE=")],
            &[("authorization", "Bearer k1"), ("x-api-key", "k2")],
            &[("authorization", "Basic azE="), ("x-api-key", "k1")],
            &[("x-api-key", "k1"), ("x-api-key", "k2")],
        ] {
            let error = presented(&headers(refused)).unwrap_err();
            assert_eq!(error.reason(), Reason::Unauthorized, "{refused:?}");
            assert!(error.message().ends_with(HOW), "{refused:?}");
        }
    }
}
