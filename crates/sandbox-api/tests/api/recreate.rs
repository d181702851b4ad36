//! Creates that the server dies under.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use sandbox_api::ApiConfig;
use sandbox_core::Timestamp;
use sandbox_engine::Engine;
use sandbox_engine::idempotency::{Idempotency, IdempotencyLimits, MemoryIdempotency};
use sandbox_engine::owners::{MemoryOwners, Owners, Quotas};
use sandbox_engine::store::{MemoryStore, Store};
use sandbox_testkit::{Call, FAKE_IMAGE, FakeDaemon, Fault, When};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::stream::soon;
use crate::support::{Tenant, tenant};

/// What is still there when the server is not.
struct Machine {
    daemon: FakeDaemon,
    store: Arc<dyn Store>,
    keys: Arc<MemoryIdempotency>,
    owners: Arc<Owners>,
}

impl Machine {
    fn new() -> Self {
        Self {
            daemon: FakeDaemon::new(),
            store: Arc::new(MemoryStore::new()),
            keys: Arc::new(MemoryIdempotency::default()),
            owners: Arc::new(Owners::new(Arc::new(MemoryOwners::default()))),
        }
    }

    async fn server(&self) -> Router {
        let engine = Engine::builder()
            .runtime("fake", Arc::new(self.daemon.connect()))
            .shared_store(Arc::clone(&self.store))
            .build()
            .await
            .unwrap();
        let mut config = ApiConfig::default();
        config.idempotency = Idempotency::new(self.keys.clone(), IdempotencyLimits::default());
        sandbox_api::router(engine, Arc::clone(&self.owners), config)
    }

    fn request(tenant: &Tenant, body: &Value) -> Request<Body> {
        Request::post("/v1/sandboxes")
            .header("authorization", format!("Bearer {}", tenant.write))
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body(body.to_string().into())
            .unwrap()
    }
}

/// A runtime whose drop ends everything that runs in it, as `kill -9` does.
fn process() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Dies while a create is on its way, starts again, and asks the same.
fn create_over_a_death(when: When, body: &Value) {
    let machine = Machine::new();
    let first = process();
    let acme = first.block_on(async {
        let acme = tenant(&machine.owners, "acme", Quotas::default(), Timestamp::EPOCH).await;
        let router = machine.server().await;
        machine
            .daemon
            .faults()
            .inject(Fault::hang(Call::Create, when));
        tokio::select! {
            answer = router.oneshot(Machine::request(&acme, body)) => panic!("{answer:?}"),
            () = soon(machine.daemon.faults().wait_for_hanging(1)) => {}
        }
        acme
    });
    drop(first);

    process().block_on(async {
        let router = machine.server().await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = Machine::request(&acme, body);
            let response = soon(router.clone().oneshot(request)).await.unwrap();
            assert_eq!(response.status(), 201, "{when:?} {body}: {response:?}");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let shown: Value = serde_json::from_slice(&body.unwrap()).unwrap();
            ids.push(shown["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids[0], ids[1], "{when:?} {body}");
        let left: Vec<_> = machine.daemon.sandboxes().into_keys().collect();
        let left: Vec<_> = left.iter().map(sandbox_core::SandboxId::as_str).collect();
        assert_eq!(left, [ids[0].as_str()], "{when:?} {body}");
    });
}

#[test]
fn a_create_that_the_server_died_under_makes_one_sandbox() {
    for when in [When::Before, When::After] {
        create_over_a_death(when, &json!({"image": FAKE_IMAGE}));
        create_over_a_death(
            when,
            &json!({"image": FAKE_IMAGE, "wait": true, "mode": "persistent"}),
        );
    }
}
