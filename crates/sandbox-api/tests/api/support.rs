//! A router with everything around it that a test holds in its hands.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use sandbox_api::ApiConfig;
use sandbox_core::{Runtime, SandboxId, Source, Timestamp};
use sandbox_engine::owners::{
    ApiKey, KeyRecord, MemoryOwners, NewKey, Organisation, Owners, QuotaAdmission, Quotas, Scope,
    Scopes,
};
use sandbox_engine::store::{MemoryStore, Store};
use sandbox_engine::templates::Templates;
use sandbox_engine::{Clock, CreateRequest, Engine, OwnerId};
use sandbox_testkit::{FAKE_IMAGE, FakeDaemon, FakeRuntime, ManualClock};
use serde_json::Value;
use tower::ServiceExt;

/// The test's clock as the engine takes one.
#[derive(Debug, Clone)]
struct TestClock(ManualClock);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.0.sleep_until(deadline).await;
    }
}

/// An organisation with a key of every scope.
pub(crate) struct Tenant {
    pub(crate) organisation: Organisation,
    pub(crate) read: String,
    pub(crate) write: String,
    pub(crate) admin: String,
}

impl Tenant {
    pub(crate) fn owner(&self) -> OwnerId {
        OwnerId::from(&self.organisation.id)
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) daemon: FakeDaemon,
    pub(crate) engine: Engine,
    pub(crate) owners: Arc<Owners>,
    pub(crate) router: Router,
    /// The one who asks.
    pub(crate) acme: Tenant,
    /// Somebody else.
    pub(crate) rival: Tenant,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ApiConfig::default(), Quotas::default()).await
    }

    pub(crate) async fn with(config: ApiConfig, quotas: Quotas) -> Self {
        Self::over(config, quotas, |runtime| Arc::new(runtime)).await
    }

    /// Over the runtime that `wrap` makes of the fake one.
    pub(crate) async fn over(
        config: ApiConfig,
        quotas: Quotas,
        wrap: impl FnOnce(FakeRuntime) -> Arc<dyn Runtime>,
    ) -> Self {
        let clock = ManualClock::new();
        let daemon = FakeDaemon::with_clock(clock.clone());
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let test_clock = TestClock(clock.clone());
        let admission = QuotaAdmission::new(Arc::clone(&owners), Arc::new(test_clock.clone()));
        let engine = Engine::builder()
            .runtime("fake", wrap(daemon.connect()))
            .templates(Templates::builtin().unwrap())
            .shared_store(store)
            .admission(admission)
            .clock(test_clock)
            .build()
            .await
            .unwrap();
        let acme = tenant(&owners, "acme", quotas, clock.now()).await;
        let rival = tenant(&owners, "rival", Quotas::default(), clock.now()).await;
        let router = sandbox_api::router(engine.clone(), Arc::clone(&owners), config);
        Self {
            clock,
            daemon,
            engine,
            owners,
            router,
            acme,
            rival,
        }
    }

    /// Makes a sandbox that runs, past the API.
    pub(crate) async fn sandbox(&self, of: &Tenant) -> SandboxId {
        let request =
            CreateRequest::from_source(Source::Image(FAKE_IMAGE.into())).owner(of.owner());
        self.engine.create(request).await.unwrap().id().clone()
    }

    /// A request with acme's key for writing.
    pub(crate) fn ask(&self, method: Method, path: impl AsRef<str>) -> Ask<'_> {
        self.ask_as(&self.acme.write, method, path)
    }

    pub(crate) fn get(&self, path: impl AsRef<str>) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl AsRef<str>) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    pub(crate) fn put(&self, path: impl AsRef<str>) -> Ask<'_> {
        self.ask(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: impl AsRef<str>) -> Ask<'_> {
        self.ask(Method::DELETE, path)
    }

    /// A request with `key`.
    pub(crate) fn ask_as(&self, key: &str, method: Method, path: impl AsRef<str>) -> Ask<'_> {
        self.ask_without_key(method, path)
            .header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn ask_without_key(&self, method: Method, path: impl AsRef<str>) -> Ask<'_> {
        let request = Request::builder().method(method).uri(path.as_ref());
        Ask {
            router: &self.router,
            request: request.body(Body::empty()).unwrap(),
        }
    }
}

pub(crate) async fn tenant(owners: &Owners, name: &str, quotas: Quotas, now: Timestamp) -> Tenant {
    let organisation = owners.create_organisation(name, quotas, now).await.unwrap();
    let [read, write, admin] = [Scope::Read, Scope::Write, Scope::Admin];
    let key = async |scope| {
        new_key(owners, &organisation, scope, now)
            .await
            .0
            .expose()
            .to_owned()
    };
    Tenant {
        read: key(read).await,
        write: key(write).await,
        admin: key(admin).await,
        organisation,
    }
}

pub(crate) async fn new_key(
    owners: &Owners,
    organisation: &Organisation,
    scope: Scope,
    now: Timestamp,
) -> (ApiKey, KeyRecord) {
    let new = NewKey {
        label: "test".to_owned(),
        scopes: Scopes::up_to(scope),
        ..NewKey::default()
    };
    owners.create_key(&organisation.id, new, now).await.unwrap()
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    router: &'a Router,
    request: Request<Body>,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends it and answers what comes, the body unread.
    pub(crate) async fn open(self) -> Response {
        self.router.clone().oneshot(self.request).await.unwrap()
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(self) -> Answer {
        let (parts, body) = self.open().await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The field that an error blames; empty when it blames none.
    pub(crate) fn field(&self) -> String {
        self.json()["error"]["field"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Asserts the status; an error's whole text is in the message.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}
