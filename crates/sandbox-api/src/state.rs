//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandbox_core::{Error, ErrorKind, Result, SandboxId, Timestamp};
use sandbox_engine::owners::{OrganisationId, Owners};
use sandbox_engine::{Engine, SandboxRecord};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::ApiConfig;
use crate::extract::Caller;
use crate::layers::{Detached, Failures, Metrics};
use crate::places::{Place, Places};
use crate::tenure::{Tenure, Tenures};

/// A stream's place, for as long as somebody holds it: its body, or the task of its WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct StreamPlace {
    _place: Arc<Place<OrganisationId>>,
    tenure: Arc<Tenure>,
}

impl StreamPlace {
    /// Cancelled when the stream is to end: the server shuts down, or its key is none any more.
    pub(crate) fn ended(&self) -> &CancellationToken {
        self.tenure.ended()
    }
}

/// A request's place, until its answer is sent whole, and what was done for it.
pub(crate) type RequestPlace = Arc<Place<OrganisationId>>;

/// The engine, the owners and the configuration. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    owners: Arc<Owners>,
    config: ApiConfig,
    metrics: Metrics,
    failures: Failures,
    room: Semaphore,
    detached: Detached,
    requests: Places<OrganisationId>,
    streams: Places<OrganisationId>,
    tenures: Tenures,
    /// When old idempotency keys were last forgotten, in milliseconds since the epoch.
    forgot_at: AtomicU64,
}

impl AppState {
    /// The state of an API over `engine`, for callers that `owners` knows.
    pub fn new(engine: Engine, owners: Arc<Owners>, config: ApiConfig) -> Self {
        let most = config.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            metrics: Metrics::default(),
            failures: Failures::new(config.failed_authentications_per_minute),
            room: Semaphore::new(most),
            detached: Detached::new(most),
            requests: Places::default(),
            streams: Places::default(),
            tenures: Tenures::default(),
            forgot_at: AtomicU64::new(engine.now().as_millis()),
            engine,
            owners,
            config,
        }))
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Organisations and their keys.
    pub fn owners(&self) -> &Arc<Owners> {
        &self.0.owners
    }

    /// Limits and times.
    pub fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn failures(&self) -> &Failures {
        &self.0.failures
    }

    /// How many more requests are taken on.
    pub(crate) fn room(&self) -> &Semaphore {
        &self.0.room
    }

    /// Work that goes on when its client leaves.
    pub(crate) fn detached(&self) -> &Detached {
        &self.0.detached
    }

    /// A place for one more request of an organisation, if it may have one.
    pub(crate) fn request_place(&self, organisation: &OrganisationId) -> Option<RequestPlace> {
        let most = self.0.config.max_organisation_requests;
        let place = self.0.requests.take(organisation, most);
        place.map(Arc::new)
    }

    /// A place for one more stream of the caller's organisation, if it may have one.
    pub(crate) fn stream_place(&self, caller: &Caller) -> Option<StreamPlace> {
        let most = self.0.config.max_organisation_streams;
        let place = self.0.streams.take(caller.organisation(), most)?;
        Some(StreamPlace {
            _place: Arc::new(place),
            tenure: self.0.tenures.of(self, caller),
        })
    }

    /// Whether old idempotency keys are to be forgotten, now that `every` has passed since the last
    /// time. Of several who ask at once, one is told so.
    pub(crate) fn is_due_to_forget(&self, now: Timestamp, every: Duration) -> bool {
        let last = self.0.forgot_at.load(Ordering::Relaxed);
        let is_due = now.since(Timestamp::from_millis(last)) >= every;
        let (from, to) = (last, now.as_millis());
        let forgot = &self.0.forgot_at;
        is_due
            && forgot
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The time, as the engine's clock has it.
    pub fn now(&self) -> Timestamp {
        self.0.engine.now()
    }

    /// Cancelled when the server shuts down. Streams of [`Deadline::Stream`](crate::Deadline)
    /// routes end by themselves.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.config.shutdown
    }

    /// A sandbox, if it belongs to the caller's organisation. Every dialect asks here and nowhere
    /// else whose a sandbox is.
    ///
    /// # Errors
    /// `NotFound` with field `sandbox_id`, also for text that is no id; `PermissionDenied` with
    /// that field when it belongs to another organisation.
    pub async fn sandbox_of(&self, caller: &Caller, id: &str) -> Result<Arc<SandboxRecord>> {
        // What cannot be an id is the id of no sandbox.
        let id = SandboxId::new(id).map_err(|e| no_sandbox().with_source(e))?;
        let record = self.engine().get(&id).await?;
        if record.owner == *caller.owner() {
            return Ok(record);
        }
        let message = "the sandbox belongs to another organisation";
        let error = Error::new(ErrorKind::PermissionDenied, "api.sandbox", message);
        Err(error.with_field("sandbox_id"))
    }
}

fn no_sandbox() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "api.sandbox",
        "there is no such sandbox",
    )
    .with_field("sandbox_id")
}
