//! The server that is measured, and the requests to it.

use std::net::SocketAddr;
use std::sync::Arc;

use sandbox::api::{ApiConfig, ServeConfig, router, serve};
use sandbox::engine::owners::{
    MemoryOwners, NewKey, Organisation, Owners, QuotaAdmission, Quotas, Scope, Scopes,
};
use sandbox::engine::{CreateRequest, Engine, ListFilter, OwnerId, SystemClock};
use sandbox::lifecycle::{Ephemeral, LifecyclePolicy, MAX_TIME_TO_LIVE};
use sandbox::{SandboxId, Source, Template, Timestamp};
use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) sandbox: SandboxId,
    pub(crate) address: SocketAddr,
    key: String,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    /// With quotas in force and none reached, as a server of many organisations has it.
    pub(crate) async fn start() -> sandbox::Result<Self> {
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let admission = QuotaAdmission::new(Arc::clone(&owners), Arc::new(SystemClock));
        let engine = Engine::builder()
            .runtime("fake", Arc::new(FakeRuntime::new()))
            .template(Template::new(
                "base".parse()?,
                Source::Image(FAKE_IMAGE.into()),
            ))
            .admission(admission)
            .build()
            .await?;
        let (organisation, key) = organisation(&owners).await?;
        let sandbox = sandbox(&engine, &organisation).await?;
        let shutdown = CancellationToken::new();
        let mut config = ApiConfig::default();
        config.shutdown = shutdown.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let router = router(engine.clone(), owners, config);
        let served = serve(listener, router, ServeConfig::default(), shutdown.clone());
        Ok(Self {
            engine,
            sandbox,
            address,
            key,
            shutdown,
            served: tokio::spawn(served),
        })
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (key, length) = (&self.key, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    pub(crate) fn exec(&self) -> Vec<u8> {
        let path = format!("/v1/sandboxes/{}/exec", self.sandbox);
        self.request("POST", &path, r#"{"command":"true"}"#)
    }

    /// What the rates are measured of; the first is the floor.
    pub(crate) fn requests(&self) -> Vec<(&'static str, Vec<u8>)> {
        let one = format!("/v1/sandboxes/{}", self.sandbox);
        vec![
            (
                "GET /healthz (the floor)",
                self.request("GET", "/healthz", ""),
            ),
            ("get a sandbox", self.request("GET", &one, "")),
            (
                "list sandboxes (one)",
                self.request("GET", "/v1/sandboxes", ""),
            ),
            (
                "create a sandbox",
                self.request("POST", "/v1/sandboxes", r#"{"template":"base"}"#),
            ),
        ]
    }

    /// Destroys every sandbox but the one that is asked about.
    pub(crate) async fn clear(&self) -> sandbox::Result<()> {
        loop {
            let page = self.engine.list(&ListFilter::default()).await?;
            let others = page.sandboxes.iter().map(|record| record.id());
            let others: Vec<_> = others.filter(|id| **id != self.sandbox).collect();
            if others.is_empty() {
                return Ok(());
            }
            let destroyed = others.into_iter().map(|id| self.engine.destroy(id));
            for one in futures_util::future::join_all(destroyed).await {
                one?;
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.served.await;
        self.engine.shutdown().await;
    }
}

async fn organisation(owners: &Owners) -> sandbox::Result<(Organisation, String)> {
    let quotas = Quotas {
        concurrent_sandboxes: Some(1_000_000),
        requests_per_minute: Some(u32::MAX),
        compute_seconds_per_month: Some(u64::MAX),
        ..Quotas::default()
    };
    let now = Timestamp::EPOCH;
    let organisation = owners.create_organisation("bench", quotas, now).await?;
    let new = NewKey {
        scopes: Scopes::up_to(Scope::Write),
        ..NewKey::default()
    };
    let (key, _) = owners.create_key(&organisation.id, new, now).await?;
    Ok((organisation, key.expose().to_owned()))
}

async fn sandbox(engine: &Engine, organisation: &Organisation) -> sandbox::Result<SandboxId> {
    let policy = LifecyclePolicy::new(Ephemeral::new(MAX_TIME_TO_LIVE))?;
    let request = CreateRequest::from_template("base".parse()?)
        .owner(OwnerId::from(&organisation.id))
        .lifecycle(policy);
    Ok(engine.create(request).await?.id().clone())
}
