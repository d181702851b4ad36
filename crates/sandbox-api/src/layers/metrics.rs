//! What the API counts, for Prometheus. Every label has few values: routes are templates, methods
//! that HTTP does not know are one.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Instant;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::span::UNMATCHED;

/// Seconds until an answer begins, from a lookup to the pull of an image.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0,
];

/// What stands for the status of a request whose client left before it was answered.
const CLIENT_LEFT: u16 = 499;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    dialect: &'static str,
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    dialect: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

type Histograms = Family<Asked, Histogram, fn() -> Histogram>;

/// The counters; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Histograms,
    in_flight: Gauge<i64, AtomicI64>,
    failed_authentications: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sandbox");
        let requests = Family::default();
        let seconds = Histograms::new_with_constructor(|| Histogram::new(BUCKETS));
        let in_flight = Gauge::default();
        let failed_authentications = Counter::default();
        registry.register(
            "api_requests",
            "Requests answered",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "api_request_duration",
            "Time until an answer begins",
            Unit::Seconds,
            Family::clone(&seconds),
        );
        registry.register(
            "api_requests_in_flight",
            "Requests whose answer has not begun",
            Gauge::clone(&in_flight),
        );
        registry.register(
            "api_failed_authentications",
            "Requests with a key that is not known",
            Counter::clone(&failed_authentications),
        );
        Self(Arc::new(Counters {
            registry,
            requests,
            seconds,
            in_flight,
            failed_authentications,
        }))
    }
}

impl Metrics {
    /// A request has come.
    pub(super) fn begin(
        &self,
        dialect: &'static str,
        method: &Method,
        route: Option<&str>,
    ) -> Measured {
        self.0.in_flight.inc();
        let asked = Asked {
            dialect,
            method: known(method),
            route: route.unwrap_or(UNMATCHED).to_owned(),
        };
        Measured {
            metrics: self.clone(),
            asked,
            since: Instant::now(),
            is_answered: false,
        }
    }

    /// Somebody came with a key that is not known.
    pub(super) fn authentication_failed(&self) {
        self.0.failed_authentications.inc();
    }

    /// Everything in Prometheus' text format, with what is only known when it is asked for.
    ///
    /// # Errors
    /// Those of writing to memory.
    pub(crate) fn write(&self, now: &Registry) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0.registry)?;
        prometheus_text::encode(&mut text, now)?;
        Ok(text)
    }
}

/// A request that is being answered. One whose client left before counts as status 499.
#[derive(Debug)]
pub(super) struct Measured {
    metrics: Metrics,
    asked: Asked,
    since: Instant,
    is_answered: bool,
}

impl Measured {
    /// The answer begins.
    pub(super) fn end(mut self, status: StatusCode) {
        self.is_answered = true;
        self.count(status.as_u16());
    }

    fn count(&self, status: u16) {
        let Asked {
            dialect,
            method,
            ref route,
        } = self.asked;
        let counters = &self.metrics.0;
        let seconds = self.since.elapsed().as_secs_f64();
        counters.seconds.get_or_create(&self.asked).observe(seconds);
        let answered = Answered {
            dialect,
            method,
            route: route.clone(),
            status,
        };
        counters.requests.get_or_create(&answered).inc();
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.metrics.0.in_flight.dec();
        if !self.is_answered {
            self.count(CLIENT_LEFT);
        }
    }
}

/// A method's name; one that a client made up must not make a label.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "OTHER",
    }
}
