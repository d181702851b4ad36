//! The gate before every route: it carries out the route's policy, in the one order there is.
//!
//! What is cheap comes first, and nothing of the body is read for somebody who is not known, asks
//! too often or may not.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use sandbox_engine::owners::{RateDecision, Scope};

use super::drain::{Expects, Leftover};
use super::{authenticate, body, deadline, idempotency, rate, share, span, streams};
use crate::dialect::Dialect;
use crate::error::ApiError;
use crate::route::{Deadline, RoutePolicy};
use crate::state::{AppState, RequestPlace};

/// A route's policy, and what it takes to carry it out.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(super) state: AppState,
    pub(super) dialect: &'static Dialect,
    pub(super) policy: RoutePolicy,
}

/// `handler` behind a gate that carries out `policy`.
pub(crate) fn before(
    handler: MethodRouter<AppState>,
    state: &AppState,
    dialect: &'static Dialect,
    policy: RoutePolicy,
) -> MethodRouter<AppState> {
    let gate = Gate {
        state: state.clone(),
        dialect,
        policy,
    };
    handler.route_layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut limit = None;
    let admitted = match gate.policy.scope {
        Some(scope) => gate.admit(scope, &mut parts, &mut limit).await.map(Some),
        None => Ok(None),
    };
    let mut response = match admitted {
        Ok(place) => {
            let request = Request::from_parts(parts, body);
            gate.enter(request, next, place).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(limit) = limit {
        rate::tell(&limit, &mut response);
    }
    response
}

impl Gate {
    /// Lets in who is known, asks not too often, may, and asks not too much at once.
    async fn admit(
        &self,
        scope: Scope,
        parts: &mut Parts,
        limit: &mut Option<RateDecision>,
    ) -> Result<RequestPlace, ApiError> {
        let caller = authenticate::caller(&self.state, parts).await?;
        span::note_caller(&caller);
        *limit = rate::count(&self.state, &caller);
        rate::check(limit.as_ref())?;
        caller.scopes().require(scope)?;
        let place = share::place(&self.state, &caller)?;
        parts.extensions.insert(caller);
        Ok(place)
    }

    /// Puts the request's body in bounds, and sees to it that its sender gets the answer.
    async fn enter(self, request: Request, next: Next, place: Option<RequestPlace>) -> Response {
        let config = self.state.config();
        let class = self.policy.body;
        let leftover = Leftover::default();
        let expects = Expects::of(request.headers());
        let length = body::check_length(class, request.headers(), config);
        let request = request.map(|sent| body::bounded(class, leftover.watch(sent), config));
        let most = body::limit(class, config);
        let response = match length {
            Ok(()) => self.repeat(request, next, place.clone()).await,
            Err(error) => {
                drop(request);
                error.into_response()
            }
        };
        // One with an idempotency key is written already.
        let is_error = response.extensions().get::<ApiError>().is_some();
        if is_error || response.status().is_client_error() {
            leftover.drain(expects, most).await;
        }
        match (place, self.policy.deadline) {
            (Some(place), Deadline::Unary | Deadline::Long) => share::held(response, place),
            // One that goes on has a place among the streams.
            (_, _) => response,
        }
    }

    /// Carries the request out once, where it has an idempotency key. What is done for one whose
    /// client leaves keeps its place.
    async fn repeat(&self, request: Request, next: Next, place: Option<RequestPlace>) -> Response {
        match idempotency::key(request.headers(), self.policy.repeat) {
            Err(error) => error.into_response(),
            Ok(None) => self.answer(request, next).await,
            Ok(Some(key)) => {
                let work = idempotency::carry_out(self.clone(), key, request, next);
                let held = async move {
                    let _place = place;
                    work.await
                };
                self.state.detached().run(held).await
            }
        }
    }

    /// The handler's answer, in time.
    pub(super) async fn answer(&self, mut request: Request, next: Next) -> Response {
        let place = match self.policy.deadline {
            Deadline::Stream => streams::place(&self.state, &mut request),
            Deadline::Unary | Deadline::Long => Ok(None),
        };
        let place = match place {
            Ok(place) => place,
            Err(error) => return error.into_response(),
        };
        let answer = next.run(request);
        let response = deadline::within(self.policy.deadline, self.state.config(), answer).await;
        match self.policy.deadline {
            Deadline::Stream => streams::until(self.state.shutdown(), response, place),
            Deadline::Unary | Deadline::Long => response,
        }
    }
}
