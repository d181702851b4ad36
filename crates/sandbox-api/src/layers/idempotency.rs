//! Idempotency keys: a request that is sent twice is carried out once.
//!
//! What identifies a request besides its key is its method, path, query and body. A JSON body is
//! read before; of a file's, which is passed on as it comes, the digest is kept with the answer, and
//! a repetition is read to its end before it is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use sandbox_core::{Error, ErrorKind};
use sandbox_engine::idempotency::{
    Answer, BodyHash, Claim, Effect, Guard, IdempotencyKey, Request as Key,
};
use sha2::{Digest, Sha256};

use super::body::{answered, content_length, failure};
use super::edge::written;
use super::gate::Gate;
use super::{deadline, panics, replay};
use crate::error::ApiError;
use crate::extract::{Caller, Claimed, RequestId, ShownOnce};
use crate::route::{BodyClass, Repeat};
use crate::state::AppState;

static HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-idempotency-key"),
];
/// Where the digest of a file is kept with the answer to its upload. Nobody is shown it.
const DIGEST: &str = "x-sandbox-body-digest";

/// How often keys whose time is over are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

/// The key of a request, where it has one that means something to its route.
///
/// # Errors
/// `InvalidSpec` with field `idempotency_key` when it is malformed, is given twice, or the route
/// refuses keys.
pub(super) fn key(
    headers: &HeaderMap,
    repeat: Repeat,
) -> Result<Option<(IdempotencyKey, Effect)>, ApiError> {
    let mut found = HEADERS.iter().flat_map(|name| headers.get_all(name));
    let Some(value) = found.next() else {
        return Ok(None);
    };
    let effect = match repeat {
        Repeat::Safe => return Ok(None),
        Repeat::Create => Effect::Create,
        Repeat::Repeatable => Effect::Repeatable,
        Repeat::Once => Effect::Once,
        Repeat::Refused => {
            let message = "cannot be honoured here: the answer is a stream, which is given once";
            return Err(ApiError::invalid("idempotency_key", message));
        }
    };
    if found.any(|other| other != value) {
        let message = "is given twice, with different values";
        return Err(ApiError::invalid("idempotency_key", message));
    }
    let text = value.to_str().unwrap_or_default();
    Ok(Some((IdempotencyKey::new(text)?, effect)))
}

/// Carries out a request that has a key, or gives the answer that it got before.
pub(super) async fn carry_out(
    gate: Gate,
    (key, effect): (IdempotencyKey, Effect),
    request: Request,
    next: Next,
) -> Response {
    forget_old_ones(&gate.state);
    let done = match gate.policy.body {
        BodyClass::File => uploaded(&gate, key, effect, request, next).await,
        BodyClass::None | BodyClass::Json => buffered(&gate, key, effect, request, next).await,
    };
    done.unwrap_or_else(ApiError::into_response)
}

/// Forgets keys whose time is over: aside, and at most once in [`FORGET_EVERY`].
fn forget_old_ones(state: &AppState) {
    let now = state.now();
    if !state.is_due_to_forget(now, FORGET_EVERY) {
        return;
    }
    let keys = state.config().idempotency.clone();
    state.detached().aside(async move {
        if let Err(error) = keys.expire(now).await {
            tracing::warn!(%error, "cannot forget old idempotency keys");
        }
    });
}

/// A request whose body is small enough to be read before.
async fn buffered(
    gate: &Gate,
    key: IdempotencyKey,
    effect: Effect,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let config = gate.state.config();
    let body = deadline::arrived(gate.policy.deadline, config, read(gate, body)).await?;
    let query = parts.uri.query().unwrap_or_default();
    let digest = BodyHash::of([query.as_bytes(), &body]);
    let request = Request::from_parts(parts, Body::from(body));
    let key = identified(&request, key)?;
    match claim(gate, key, effect, digest).await? {
        Claim::Answered(answer) => Ok(replay::give(answer, DIGEST, true)),
        Claim::Run(guard) => run(gate, guard, request, next, || None).await,
    }
}

async fn read(gate: &Gate, body: Body) -> Result<Bytes, ApiError> {
    let class = gate.policy.body;
    if class == BodyClass::None {
        return Ok(Bytes::new());
    }
    let read = to_bytes(body, usize::MAX).await;
    read.map_err(|e| answered(failure(e, class, gate.state.config()), class))
}

/// A request whose body is passed on as it comes. What is known of it before is its length.
async fn uploaded(
    gate: &Gate,
    key: IdempotencyKey,
    effect: Effect,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let length = content_length(request.headers()).map(u64::to_le_bytes);
    let known = length.as_ref().map_or(&[][..], <[u8; 8]>::as_slice);
    let beforehand = BodyHash::of([query.as_bytes(), known]);
    let key = identified(&request, key)?;
    match claim(gate, key, effect, beforehand).await? {
        Claim::Answered(answer) => {
            let compared = same_file(gate, &answer, request.into_body());
            deadline::arrived(gate.policy.deadline, gate.state.config(), compared).await?;
            Ok(replay::give(answer, DIGEST, true))
        }
        Claim::Run(guard) => {
            let digest = Running::default();
            let request = request.map(|body| digest.watch(body));
            run(gate, guard, request, next, move || digest.whole()).await
        }
    }
}

/// Reads a repetition's file and refuses it when it is another one.
async fn same_file(gate: &Gate, answer: &Answer, body: Body) -> Result<(), ApiError> {
    let digest = Running::default();
    let mut chunks = digest.watch(body).into_data_stream();
    while let Some(chunk) = chunks.next().await {
        chunk.map_err(|e| failure(e, BodyClass::File, gate.state.config()))?;
    }
    let mut kept = answer.headers.iter().filter(|(name, _)| name == DIGEST);
    if kept.all(|(_, kept)| Some(kept) == digest.whole().as_ref()) {
        return Ok(());
    }
    Err(conflict("the key was used with another request body"))
}

/// The key with what it belongs to: keys of others, and on other paths, are other keys.
fn identified(request: &Request, key: IdempotencyKey) -> Result<Key, ApiError> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(|| panics::defect("a route without a scope takes keys"))?;
    let (method, path) = (request.method().as_str(), request.uri().path());
    Ok(Key::http(caller.owner().as_str(), method, path, key))
}

async fn claim(gate: &Gate, key: Key, effect: Effect, digest: BodyHash) -> Result<Claim, ApiError> {
    let config = gate.state.config();
    let claim = config
        .idempotency
        .claim(key, digest, effect, || gate.state.now());
    match tokio::time::timeout(config.long_timeout, claim).await {
        Ok(claim) => Ok(claim?),
        Err(_) => Err(conflict(
            "a request with this key is still being carried out",
        )),
    }
}

fn conflict(message: &str) -> ApiError {
    let error = Error::new(ErrorKind::Conflict, "api.idempotency", message);
    error.with_field("idempotency_key").into()
}

/// Carries it out, and keeps the answer before anybody sees it.
async fn run(
    gate: &Gate,
    guard: Guard,
    mut request: Request,
    next: Next,
    digest: impl FnOnce() -> Option<String>,
) -> Result<Response, ApiError> {
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.unwrap_or_else(RequestId::random);
    let claimed = Claimed::new(guard);
    request.extensions_mut().insert(claimed.clone());
    let response = gate.answer(request, next).await;
    let error = response.extensions().get::<ApiError>().cloned();
    let is_secret = response.extensions().get::<ShownOnce>().is_some();
    let answer = replay::keep(written(gate.dialect, response, &id)).await?;
    // Gone with a handler that was dropped or panicked: it counts as interrupted.
    let Some(guard) = claimed.take() else {
        return Ok(replay::give(answer, DIGEST, false));
    };
    let mut kept = match is_secret {
        true => replay::keep(written(gate.dialect, not_again(), &id)).await?,
        false => answer.clone(),
    };
    match error {
        None => {
            let digest = digest().map(|digest| (DIGEST.to_owned(), digest));
            kept.headers.extend(digest);
            guard.finish(kept).await?;
        }
        Some(error) => {
            guard.fail(&error.to_error(), kept).await?;
        }
    }
    Ok(replay::give(answer, DIGEST, false))
}

/// What a repetition is answered where the first answer was not kept.
fn not_again() -> Response {
    conflict("the request was carried out; its answer shows a secret, which is not kept")
        .into_response()
}

/// The digest of a body that passes by.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<(Sha256, bool)>>);

impl Running {
    fn watch(&self, body: Body) -> Body {
        let (passing, ended) = (self.clone(), self.clone());
        let chunks = body.into_data_stream().inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                passing.lock().0.update(chunk);
            }
        });
        let end = futures_util::stream::poll_fn(move |_| {
            ended.lock().1 = true;
            std::task::Poll::Ready(None)
        });
        Body::from_stream(chunks.chain(end))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Sha256, bool)> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest in hexadecimal, once the body was read to its end.
    fn whole(&self) -> Option<String> {
        let running = self.lock();
        running
            .1
            .then(|| format!("{:x}", running.0.clone().finalize()))
    }
}
