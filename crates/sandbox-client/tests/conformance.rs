//! The suite every runtime runs, against the fake runtime behind a real server.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_testkit::conformance::{FakeHarness, Harness, NetworkLab};
use tokio::sync::OnceCell;

use support::Server;

#[derive(Default)]
struct RemoteHarness {
    fake: FakeHarness,
    server: OnceCell<Server>,
}

impl RemoteHarness {
    async fn server(&self) -> &Server {
        let start = async || Server::over("fake", self.fake.runtime().await).await;
        self.server.get_or_init(start).await
    }
}

#[async_trait]
impl Harness for RemoteHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        self.server().await.runtime().await
    }

    fn source(&self) -> Source {
        self.fake.source()
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        self.fake.network().await
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(self.runtime().await)
    }
}

sandbox_testkit::conformance!(RemoteHarness::default());
