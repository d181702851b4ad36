//! Building a client.

use std::env;

use reqwest::redirect::Policy;
use sandbox_core::{Error, ErrorKind, Result};

use crate::client::{Client, Inner};
use crate::key::Key;
use crate::route::Base;
use crate::{Limits, RetryPolicy, tls};

/// Builds a [`Client`].
#[derive(Debug, Default, Clone)]
#[must_use]
pub struct ClientBuilder {
    url: Option<String>,
    key: Option<SecretText>,
    limits: Limits,
    retry: RetryPolicy,
}

/// Text that is not shown.
#[derive(Clone)]
struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ClientBuilder {
    /// Where the server is, such as `http://127.0.0.1:8080`. A path is a prefix of every route.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The key that every call carries.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(SecretText(key.into()));
        self
    }

    /// What the client waits for and takes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How calls are tried again.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Takes what is not set yet from `SANDBOX_URL` and `SANDBOX_API_KEY`.
    pub fn from_env(self) -> Self {
        self.filled(|name| env::var(name).ok())
    }

    fn filled(mut self, variable: impl Fn(&'static str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        self.url = self.url.or_else(|| variable("SANDBOX_URL"));
        self.key = self
            .key
            .or_else(|| variable("SANDBOX_API_KEY").map(SecretText));
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidSpec` with field `url` when there is none, or it is no `http` or `https` address;
    /// with field `api_key` for one that is not visible ASCII; `Unavailable` when the system's
    /// certificates cannot be loaded.
    pub fn build(self) -> Result<Client> {
        let url = self.url.ok_or_else(|| {
            let message = "is needed, such as http://127.0.0.1:8080 (or set SANDBOX_URL)";
            Error::invalid("client.build", "url", message)
        })?;
        let base = Base::new(&url)?;
        let key = self.key.map(|key| Key::new(&key.0)).transpose()?;
        let http = reqwest::Client::builder()
            // A redirect would take the key to wherever it says.
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.limits.connect_timeout)
            .tcp_nodelay(true)
            .user_agent(concat!("sandbox-client/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::config(base.is_tls())?)
            .build()
            .map_err(|e| {
                let message = "the client cannot be made";
                Error::new(ErrorKind::Internal, "client.build", message)
                    .with_source(e.without_url())
            })?;
        Ok(Client::new(Inner {
            http,
            base,
            key,
            limits: self.limits,
            retry: self.retry,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &'static str) -> Option<String> {
        match name {
            "SANDBOX_URL" => Some("http://from-env:1".to_owned()),
            "SANDBOX_API_KEY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn the_environment_fills_what_is_not_set() {
        let client = ClientBuilder::default()
            .filled(environment)
            .build()
            .unwrap();
        assert!(format!("{client:?}").contains("from-env"), "{client:?}");
        let set = ClientBuilder::default().url("http://set:1");
        let client = set.filled(environment).build().unwrap();
        assert!(format!("{client:?}").contains("//set:1"), "{client:?}");
        assert!(client.inner().key.is_none(), "an empty key is none");
        let error = ClientBuilder::default()
            .filled(|_| None)
            .build()
            .unwrap_err();
        assert_eq!(error.field(), Some("url"));
    }
}
