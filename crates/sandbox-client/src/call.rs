//! One call: sent, tried again where that is safe, and its answer read.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Method, Response};
use sandbox_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::answer;
use crate::client::Client;
use crate::error::{refused, timed_out, transport};
use crate::retry::{Failed, random};
use crate::route::Route;

/// A call before it is sent.
#[derive(Debug)]
pub(crate) struct Call {
    operation: &'static str,
    method: Method,
    route: Route,
    headers: HeaderMap,
    body: Payload,
    repeat: Repeat,
    limit: Limit,
}

#[derive(Debug)]
enum Payload {
    None,
    Whole(Bytes),
    /// Can be sent once.
    Stream(Option<Body>),
}

/// Whether a call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It changes nothing, or comes to the same.
    Safe,
    /// With the same idempotency key.
    Keyed,
    /// Doing it twice would be two things.
    Never,
}

/// How long the answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// [`Limits::call_timeout`](crate::Limits::call_timeout).
    Call,
    /// [`Limits::work_timeout`](crate::Limits::work_timeout), and this.
    Work(Duration),
}

impl Call {
    fn new(operation: &'static str, method: Method, route: Route, repeat: Repeat) -> Self {
        Self {
            operation,
            method,
            route,
            headers: HeaderMap::new(),
            body: Payload::None,
            repeat,
            limit: Limit::Call,
        }
    }

    /// A call that only asks.
    pub(crate) fn get(operation: &'static str, route: Route) -> Self {
        Self::new(operation, Method::GET, route, Repeat::Safe)
    }

    /// A call that is to be carried out once: it carries a key.
    pub(crate) fn post(operation: &'static str, route: Route) -> Self {
        Self::new(operation, Method::POST, route, Repeat::Keyed)
    }

    /// A call that replaces something.
    pub(crate) fn put(operation: &'static str, route: Route) -> Self {
        Self::new(operation, Method::PUT, route, Repeat::Keyed)
    }

    /// A call that removes something. It carries a key, so that the answer to a second try is the
    /// first one's.
    pub(crate) fn delete(operation: &'static str, route: Route) -> Self {
        Self::new(operation, Method::DELETE, route, Repeat::Keyed)
    }

    /// Sends it once and without a key: its answer cannot be given again.
    pub(crate) fn once(mut self) -> Self {
        self.repeat = Repeat::Never;
        self
    }

    /// Its answer may take as long as work does, and `more`.
    pub(crate) fn works(mut self, more: Duration) -> Self {
        self.limit = Limit::Work(more);
        self
    }

    /// Its body.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self> {
        let written = serde_json::to_vec(body).map_err(|e| {
            let message = "the request cannot be written as JSON";
            Error::new(ErrorKind::Internal, self.operation, message).with_source(e)
        })?;
        self.body = Payload::Whole(written.into());
        let json = HeaderValue::from_static("application/json");
        self.headers.insert(CONTENT_TYPE, json);
        Ok(self)
    }

    /// Its body: bytes.
    pub(crate) fn bytes(mut self, body: Bytes) -> Self {
        self.body = Payload::Whole(body);
        self.octets()
    }

    /// Its body: a stream, which can be sent once.
    pub(crate) fn stream(mut self, body: Body) -> Self {
        self.body = Payload::Stream(Some(body));
        self.octets().once()
    }

    fn octets(mut self) -> Self {
        let octets = HeaderValue::from_static("application/octet-stream");
        self.headers.insert(CONTENT_TYPE, octets);
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// A key of 128 random bits for all tries of one call.
fn idempotency_key() -> Result<HeaderValue> {
    let mut random = [0; 16];
    let failed = |e: getrandom::Error| {
        let message = "the system's source of randomness does not answer";
        let cause = std::io::Error::other(e.to_string());
        Error::new(ErrorKind::Unavailable, "client.random", message).with_source(cause)
    };
    getrandom::fill(&mut random).map_err(failed)?;
    let text = format!("{:032x}", u128::from_be_bytes(random));
    // Hexadecimal digits are a header's value.
    HeaderValue::from_str(&text)
        .map_err(|e| Error::new(ErrorKind::Internal, "client.key", "no key").with_source(e))
}

impl Client {
    /// Sends `call` and gives back the head of a successful answer, with the body still to come.
    pub(crate) async fn send(&self, mut call: Call) -> Result<Response> {
        if call.repeat == Repeat::Keyed {
            call.headers.insert("idempotency-key", idempotency_key()?);
        }
        let mut retry = 0;
        loop {
            let failed = match self.attempt(&mut call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let policy = &self.inner().retry;
            let again = failed.passing && call.repeat != Repeat::Never;
            let delay = policy.delay(retry, failed.retry_after, random());
            let Some(delay) = delay.filter(|_| again) else {
                return Err(failed.error);
            };
            let error = failed.error.to_string();
            tracing::debug!(
                operation = call.operation,
                retry,
                ?delay,
                error,
                "trying again"
            );
            tokio::time::sleep(delay).await;
            retry += 1;
        }
    }

    async fn attempt(&self, call: &mut Call) -> Result<Response, Failed> {
        let inner = self.inner();
        let limit = match call.limit {
            Limit::Call => inner.limits.call_timeout,
            Limit::Work(more) => inner.limits.work_timeout.saturating_add(more),
        };
        let request = self.request(call).map_err(Failed::final_)?;
        let sent = timeout(limit, request.send()).await;
        let sent = sent.map_err(|_| Failed::final_(timed_out(call.operation, limit)))?;
        let answer = sent.map_err(|e| Failed::of(transport(call.operation, e)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let reading = refused(call.operation, answer, &inner.limits);
        match timeout(limit, reading).await {
            Ok(failed) => Err(failed),
            Err(_) => Err(Failed::final_(timed_out(call.operation, limit))),
        }
    }

    fn request(&self, call: &mut Call) -> Result<reqwest::RequestBuilder> {
        let inner = self.inner();
        let url = inner.base.at(&call.route)?;
        let mut request = inner.http.request(call.method.clone(), url);
        request = request.headers(call.headers.clone());
        if let Some(key) = &inner.key {
            request = request.header(AUTHORIZATION, key.header());
        }
        Ok(match &mut call.body {
            Payload::None => request,
            Payload::Whole(body) => request.body(body.clone()),
            Payload::Stream(body) => match body.take() {
                Some(body) => request.body(body),
                None => request,
            },
        })
    }

    /// Sends `call` and reads its answer whole.
    async fn whole(&self, call: Call) -> Result<(&'static str, Bytes)> {
        let operation = call.operation;
        let limits = &self.inner().limits;
        let answer = self.send(call).await?;
        let reading = answer::bounded(operation, answer, limits.max_answer_bytes);
        let body = timeout(limits.call_timeout, reading).await;
        let body = body.map_err(|_| timed_out(operation, limits.call_timeout))??;
        Ok((operation, body))
    }

    /// Sends `call` and reads its answer as JSON.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let (operation, body) = self.whole(call).await?;
        answer::json(operation, &body)
    }

    /// Sends `call`, whose answer says nothing.
    pub(crate) async fn run(&self, call: Call) -> Result<()> {
        self.whole(call).await.map(|_| ())
    }
}
