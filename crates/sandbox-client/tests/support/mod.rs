//! A real server over any runtime, and runtimes over it.

use std::net::SocketAddr;
use std::sync::Arc;

use sandbox_api::{ApiConfig, ServeConfig, serve};
use sandbox_client::{Client, RemoteConfig, RemoteRuntime};
use sandbox_core::{Runtime, Timestamp};
use sandbox_engine::Engine;
use sandbox_engine::owners::{MemoryOwners, NewKey, Owners, Quotas};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A server on this machine, until this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    /// A key of the scope that using sandboxes takes.
    pub(crate) key: String,
    _serving: DropGuard,
}

impl Server {
    /// A server whose default runtime is `runtime`.
    pub(crate) async fn over(name: &str, runtime: Arc<dyn Runtime>) -> Self {
        let engine = Engine::builder().runtime(name, runtime);
        let engine = engine.build().await.expect("the engine starts");
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let key = key(&owners).await;
        let serving = CancellationToken::new();
        let mut config = ApiConfig::default();
        // The suite writes a file that is a little larger than what a server takes by default.
        config.max_file_bytes = 1 << 30;
        config.shutdown = serving.clone();
        let router = sandbox_api::router(engine, owners, config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("its address");
        tokio::spawn(serve(
            listener,
            router,
            ServeConfig::default(),
            serving.clone(),
        ));
        Self {
            url: format!("http://{address}"),
            key,
            _serving: serving.drop_guard(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let client = Client::builder().url(&self.url).api_key(&self.key);
        client.build().expect("a client")
    }

    pub(crate) async fn runtime(&self) -> Arc<dyn Runtime> {
        let connected = RemoteRuntime::connect(self.client(), RemoteConfig::default());
        connected.await.expect("the server has a runtime")
    }
}

async fn key(owners: &Owners) -> String {
    let now = Timestamp::from_millis(1_000);
    let organisation = owners
        .create_organisation("suite", Quotas::default(), now)
        .await
        .expect("an organisation");
    let (key, _) = owners
        .create_key(&organisation.id, NewKey::default(), now)
        .await
        .expect("a key");
    key.expose().to_owned()
}
