//! Making the sandbox that a request asks for.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sandbox_core::{ErrorKind, Result, SandboxId};
use sandbox_engine::idempotency::Guard;
use sandbox_engine::{CreateRequest, Engine, SandboxRecord};

use crate::error::ApiError;
use crate::state::AppState;

/// Makes the sandbox that a request asks for: once, where the request carries an idempotency key.
/// Handlers of [`Repeat::Create`](crate::Repeat) routes take it and make sandboxes in no other way.
#[derive(Debug)]
pub struct Creation {
    engine: Engine,
    claim: Option<Claimed>,
}

/// The claim of a request with a key, shared by the layer that finishes it and the handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claimed(Arc<Mutex<Option<Guard>>>);

impl Claimed {
    pub(crate) fn new(guard: Guard) -> Self {
        Self(Arc::new(Mutex::new(Some(guard))))
    }

    /// Takes the claim; `None` while somebody else has it, or lost it.
    pub(crate) fn take(&self) -> Option<Guard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn give_back(&self, guard: Guard) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }
}

impl Creation {
    /// Makes the sandbox; with `wait`, answers when it runs, otherwise while it is being made.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::create_once`].
    pub async fn make(self, request: CreateRequest, wait: bool) -> Result<Arc<SandboxRecord>> {
        let Some((claimed, mut guard)) = self
            .claim
            .and_then(|claimed| claimed.take().map(|guard| (claimed, guard)))
        else {
            return make(&self.engine, request, wait).await;
        };
        let made = match request.id.clone() {
            Some(id) => make_named(&self.engine, &guard, id, request, wait).await,
            None if wait => self.engine.create_once(&mut guard, request).await,
            None => self.engine.create_once_detached(&mut guard, request).await,
        };
        claimed.give_back(guard);
        made
    }
}

async fn make(engine: &Engine, request: CreateRequest, wait: bool) -> Result<Arc<SandboxRecord>> {
    match wait {
        true => engine.create(request).await,
        false => engine.create_detached(request).await,
    }
}

/// Makes a sandbox whose id the caller chose, which by itself keeps it from being made twice.
async fn make_named(
    engine: &Engine,
    guard: &Guard,
    id: SandboxId,
    request: CreateRequest,
    wait: bool,
) -> Result<Arc<SandboxRecord>> {
    if guard.is_resumed() {
        match engine.get(&id).await {
            Ok(record) if record.owner == request.owner => {
                return engine.created_before(record, wait).await;
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            // Somebody else's id: refused below like any that is taken.
            Ok(_) | Err(_) => {}
        }
    }
    make(engine, request, wait).await
}

impl FromRequestParts<AppState> for Creation {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        Ok(Self {
            engine: state.engine().clone(),
            claim: parts.extensions.get::<Claimed>().cloned(),
        })
    }
}
