//! The client itself.

use std::fmt;
use std::sync::Arc;

use sandbox_core::Result;

use crate::key::Key;
use crate::route::Base;
use crate::{ClientBuilder, Limits, RetryPolicy};

/// A client of one server, with one key. Cheap to clone; clones share their connections.
///
/// Calls answer [`sandbox_core::Error`] with the kind and the field that the server said; what is
/// said in none of its own words (a proxy's page, an answer cut in the middle) is `Internal` or
/// `Unavailable`. Redirects are not followed. A call whose future is dropped may have been carried
/// out.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Base,
    pub(crate) key: Option<Key>,
    pub(crate) limits: Limits,
    pub(crate) retry: RetryPolicy,
}

impl Client {
    /// Starts to build a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The client that `SANDBOX_URL` and `SANDBOX_API_KEY` describe.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// What the client waits for and takes.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.0.base)
            .field("key", &self.0.key)
            .finish_non_exhaustive()
    }
}
