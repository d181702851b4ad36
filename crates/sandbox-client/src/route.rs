//! Addresses: the base, and what goes below it.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use sandbox_core::{Error, Result, SandboxPath};
use serde::Serialize;

/// What stands for itself in a part of a path. Everything else is escaped: a `/`, a `?` or a line
/// break in a file's name is part of the name.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where a server is: `https://host/prefix` without a trailing slash.
#[derive(Clone)]
pub(crate) struct Base(Url);

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Base {
    /// # Errors
    /// `InvalidSpec` with field `url` unless it is an `http` or `https` address without user,
    /// password, query and fragment.
    pub(crate) fn new(text: &str) -> Result<Self> {
        // What was given may hold a password: it is never shown.
        let refuse = |message: &str| Error::invalid("client.build", "url", message);
        let url = Url::parse(text.trim_end_matches('/'));
        let url = url.map_err(|_| refuse("is not an address such as http://127.0.0.1:8080"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refuse("must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(
                "must have no user and no password: give the key as api_key",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("must have no query and no fragment"));
        }
        Ok(Self(url))
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address of `route`.
    ///
    /// # Errors
    /// `Internal` when together they are no address.
    pub(crate) fn at(&self, route: &Route) -> Result<Url> {
        let mut url = self.0.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{}", route.path));
        if !route.query.is_empty() {
            url.set_query(Some(&route.query));
        }
        Ok(url)
    }
}

/// A path below the base, and its query.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    path: String,
    query: String,
}

impl Route {
    /// The route of these parts below `/v1`, each escaped.
    pub(crate) fn v1<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Self {
        let mut route = Self {
            path: "/v1".to_owned(),
            query: String::new(),
        };
        for part in parts {
            route.push(part.as_ref());
        }
        route
    }

    fn push(&mut self, part: &str) {
        self.path.push('/');
        self.path.extend(utf8_percent_encode(part, PART));
    }

    /// With the parts of a file's path below it; the root is an empty part.
    pub(crate) fn file(mut self, path: &SandboxPath) -> Self {
        if path.is_root() {
            self.push("");
        }
        for name in path.components() {
            self.push(name);
        }
        self
    }

    /// With what `query` says.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as a query.
    pub(crate) fn query(mut self, query: &impl Serialize) -> Result<Self> {
        self.query = serde_urlencoded::to_string(query).map_err(|e| {
            let message = "the query cannot be written";
            Error::new(sandbox_core::ErrorKind::Internal, "client.query", message).with_source(e)
        })?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(base: &str, route: &Route) -> String {
        Base::new(base).unwrap().at(route).unwrap().to_string()
    }

    #[test]
    fn a_prefix_is_kept_and_parts_are_escaped() {
        let route = Route::v1(["templates", "a/b?c#d"]);
        let expected = "http://h/x/v1/templates/a%2Fb%3Fc%23d";
        assert_eq!(at("http://h/x/", &route), expected);
        let query = route.query(&[("a", "1&2")]).unwrap();
        assert_eq!(
            at("http://h", &query),
            "http://h/v1/templates/a%2Fb%3Fc%23d?a=1%262"
        );
    }

    #[test]
    fn addresses_that_would_surprise_are_refused() {
        for bad in [
            "",
            "h:80",
            "ftp://h",
            "http://",
            "http://user@h",
            "http://:secret@h",
            "http://h?x=1",
            "http://h#x",
        ] {
            let error = Base::new(bad).unwrap_err();
            assert_eq!(error.field(), Some("url"), "{bad}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    proptest! {
        #[test]
        fn every_name_arrives_as_it_is(names in prop::collection::vec("[^/\0]{1,12}", 0..4)) {
            let path = SandboxPath::new(format!("/{}", names.join("/")));
            prop_assume!(path.is_ok());
            let path = path.unwrap();
            let route = Route::v1(["files"]).file(&path);
            let url = Base::new("http://h").unwrap().at(&route).unwrap();
            let below = url.path().strip_prefix("/v1/files/").unwrap();
            let arrived = percent_encoding::percent_decode_str(below).decode_utf8().unwrap();
            prop_assert_eq!(format!("/{arrived}"), path.as_str());
        }
    }
}
