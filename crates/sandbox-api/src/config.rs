//! What the API can be told about itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use sandbox_engine::idempotency::{Idempotency, IdempotencyLimits, MemoryIdempotency};
use sandbox_engine::tools::diagnostics::Target;
use tokio_util::sync::CancellationToken;

/// Who may read `/metrics`. It counts everybody's requests and sandboxes, and names nobody.
#[derive(Clone, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Nobody.
    Off,
    /// Whoever's address is a loopback address. Behind a proxy on the same machine that is
    /// everybody: have it keep the path to itself, or choose a token.
    Loopback,
    /// Whoever presents this token as `Authorization: Bearer TOKEN`.
    Token(String),
    /// Everybody.
    Open,
}

impl fmt::Debug for MetricsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Loopback => "Loopback",
            Self::Token(_) => "Token(…)",
            Self::Open => "Open",
        })
    }
}

/// Limits and times of the API. The defaults suit a server on one machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The largest JSON body in bytes. Default: 1 MiB.
    pub max_json_bytes: u64,
    /// The largest file that is uploaded in one request, in bytes. Default: 100 MB (100,000,000).
    pub max_file_bytes: u64,
    /// How long a route that asks the engine may take. Default: 60 s.
    pub unary_timeout: Duration,
    /// How long a route may take that makes a sandbox, runs a command or transfers a file, and how
    /// long a stream may take to begin. Default: 15 minutes.
    pub long_timeout: Duration,
    /// How long a body may pause while it is sent. Default: 30 s.
    pub body_idle_timeout: Duration,
    /// How often the client of a WebSocket is asked whether it is there. One that leaves four such
    /// pings in a row unanswered is taken for gone. Default: 20 s.
    pub ping_interval: Duration,
    /// Where the diagnostics of a sandbox connect to. Default: nowhere, and they leave that out.
    pub diagnostics_target: Option<Target>,
    /// The most requests whose answer has not begun; more are refused with 503. Default: 4,096.
    pub max_concurrent_requests: usize,
    /// The most requests of one organisation at once whose answer is not sent whole, streams left
    /// out; more are refused with 429, so that what all of them share is nobody's alone. Default:
    /// 1,024.
    pub max_organisation_requests: usize,
    /// The most streams of one organisation at once, WebSockets included; more are refused with 429.
    /// Default: 2,048.
    pub max_organisation_streams: usize,
    /// How often the API key of an open stream is looked up again: one whose key was revoked or has
    /// expired ends so soon. Default: 15 s.
    pub key_check_interval: Duration,
    /// How many unknown API keys an address may try in a minute before further ones wait their turn
    /// to be looked up, or are refused when too many wait; at least 1. Default: 60.
    pub failed_authentications_per_minute: u32,
    /// Origins whose pages may call the API from a browser. Default: none.
    pub cors_origins: Vec<HeaderValue>,
    /// Who may read `/metrics`. Default: whoever asks over the loopback interface.
    pub metrics: MetricsAccess,
    /// Where idempotency keys and the answers to them are kept. Default: in memory, gone with the
    /// process.
    pub idempotency: Idempotency,
    /// Cancelled when the server shuts down: streams then end. Default: one that nobody cancels.
    pub shutdown: CancellationToken,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            max_json_bytes: 1 << 20,
            max_file_bytes: 100_000_000,
            unary_timeout: Duration::from_secs(60),
            long_timeout: Duration::from_secs(15 * 60),
            body_idle_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(20),
            diagnostics_target: None,
            max_concurrent_requests: 4096,
            max_organisation_requests: 1024,
            max_organisation_streams: 2048,
            key_check_interval: Duration::from_secs(15),
            failed_authentications_per_minute: 60,
            cors_origins: Vec::new(),
            metrics: MetricsAccess::Loopback,
            idempotency: Idempotency::new(
                Arc::new(MemoryIdempotency::default()),
                IdempotencyLimits::default(),
            ),
            shutdown: CancellationToken::new(),
        }
    }
}
