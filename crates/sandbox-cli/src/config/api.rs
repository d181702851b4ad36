//! The sections `api` and `connections`.

use sandbox_api::{ApiConfig, MetricsAccess, ServeConfig};
use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::units::{Bytes, Span};

/// What the API is told: [`ApiConfig`], as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiSection {
    pub(crate) max_json_bytes: Bytes,
    pub(crate) max_file_bytes: Bytes,
    pub(crate) unary_timeout: Span,
    pub(crate) long_timeout: Span,
    pub(crate) body_idle_timeout: Span,
    pub(crate) max_concurrent_requests: usize,
    pub(crate) failed_authentications_per_minute: u32,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) metrics: Metrics,
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metrics {
    Off,
    Loopback,
    Token(Secret),
    Open,
}

/// Text that logs do not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The shortest token for `/metrics`, in bytes: shorter ones can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

impl Default for ApiSection {
    fn default() -> Self {
        let defaults = ApiConfig::default();
        Self {
            max_json_bytes: Bytes(defaults.max_json_bytes),
            max_file_bytes: Bytes(defaults.max_file_bytes),
            unary_timeout: Span(defaults.unary_timeout),
            long_timeout: Span(defaults.long_timeout),
            body_idle_timeout: Span(defaults.body_idle_timeout),
            max_concurrent_requests: defaults.max_concurrent_requests,
            failed_authentications_per_minute: defaults.failed_authentications_per_minute,
            cors_origins: Vec::new(),
            metrics: match defaults.metrics {
                MetricsAccess::Off => Metrics::Off,
                MetricsAccess::Loopback => Metrics::Loopback,
                MetricsAccess::Token(token) => Metrics::Token(Secret(token)),
                MetricsAccess::Open => Metrics::Open,
            },
        }
    }
}

impl ApiSection {
    /// What the API is told.
    ///
    /// # Errors
    /// `InvalidSpec` with the path of the field.
    pub(crate) fn config(&self) -> Result<ApiConfig> {
        let refuse = |field: &str, message: &str| {
            Err(Error::invalid("config", format!("api.{field}"), message))
        };
        if self.max_concurrent_requests == 0 {
            return refuse("max_concurrent_requests", "must be at least 1");
        }
        if self.failed_authentications_per_minute == 0 {
            return refuse("failed_authentications_per_minute", "must be at least 1");
        }
        let mut config = ApiConfig::default();
        config.max_json_bytes = self.max_json_bytes.0;
        config.max_file_bytes = self.max_file_bytes.0;
        config.unary_timeout = self.unary_timeout.0;
        config.long_timeout = self.long_timeout.0;
        config.body_idle_timeout = self.body_idle_timeout.0;
        config.max_concurrent_requests = self.max_concurrent_requests;
        config.failed_authentications_per_minute = self.failed_authentications_per_minute;
        for (index, origin) in self.cors_origins.iter().enumerate() {
            let field = format!("cors_origins[{index}]");
            match origin.parse() {
                Ok(value) if is_origin(origin) => config.cors_origins.push(value),
                Ok(_) | Err(_) => {
                    return refuse(&field, "must be an origin such as https://app.example.com");
                }
            }
        }
        config.metrics = match &self.metrics {
            Metrics::Off => MetricsAccess::Off,
            Metrics::Loopback => MetricsAccess::Loopback,
            Metrics::Open => MetricsAccess::Open,
            Metrics::Token(Secret(token)) => {
                if token.len() < MIN_TOKEN_BYTES || !token.bytes().all(|b| b.is_ascii_graphic()) {
                    let message = "must be at least 16 visible ASCII characters, and random";
                    return refuse("metrics.token", message);
                }
                MetricsAccess::Token(token.clone())
            }
        };
        Ok(config)
    }
}

/// Whether `text` is what browsers send as `Origin`: a scheme and a host, and nothing behind.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']))
}

/// What the server is told about its connections: [`ServeConfig`], as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConnectionsSection {
    pub(crate) max_connections: usize,
    pub(crate) header_timeout: Span,
    pub(crate) max_header_bytes: Bytes,
    pub(crate) write_timeout: Span,
    pub(crate) shutdown_grace: Span,
}

impl Default for ConnectionsSection {
    fn default() -> Self {
        let defaults = ServeConfig::default();
        Self {
            max_connections: defaults.max_connections,
            header_timeout: Span(defaults.header_timeout),
            max_header_bytes: Bytes(defaults.max_header_bytes as u64),
            write_timeout: Span(defaults.write_timeout),
            shutdown_grace: Span(defaults.shutdown_grace),
        }
    }
}

/// The fewest bytes that the head of a request may be limited to: HTTP libraries need as many.
const MIN_HEADER_BYTES: u64 = 8 << 10;

impl ConnectionsSection {
    /// What the server is told.
    ///
    /// # Errors
    /// `InvalidSpec` with the path of the field.
    pub(crate) fn config(&self) -> Result<ServeConfig> {
        let refuse = |field: &str, message: &str| {
            Err(Error::invalid(
                "config",
                format!("connections.{field}"),
                message,
            ))
        };
        if self.max_connections == 0 {
            return refuse("max_connections", "must be at least 1");
        }
        let range = MIN_HEADER_BYTES..=(16 << 20);
        if !range.contains(&self.max_header_bytes.0) {
            return refuse("max_header_bytes", "must be from 8 KiB to 16 MiB");
        }
        let mut config = ServeConfig::default();
        config.max_connections = self.max_connections;
        config.header_timeout = self.header_timeout.0;
        // In range, so that it fits.
        config.max_header_bytes = self.max_header_bytes.0 as usize;
        config.write_timeout = self.write_timeout.0;
        config.shutdown_grace = self.shutdown_grace.0;
        Ok(config)
    }
}
