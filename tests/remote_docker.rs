//! The suite every runtime runs, against Docker behind a real server.

#[path = "../crates/sandbox-runtime-docker/tests/harness/mod.rs"]
mod harness;
#[path = "../crates/sandbox-client/tests/support/mod.rs"]
mod server;
#[path = "../crates/sandbox-runtime-docker/tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox::docker::AgentMode;
use sandbox::{Command, Runtime, SandboxPath, Source};
use sandbox_testkit::conformance::{Harness, NetworkLab};
use tokio::sync::OnceCell;

use harness::DockerHarness;
use server::Server;

struct RemoteHarness {
    // Stopped before the containers are removed.
    server: OnceCell<Server>,
    docker: DockerHarness,
}

impl RemoteHarness {
    fn new() -> Self {
        Self {
            server: OnceCell::new(),
            docker: DockerHarness::new(AgentMode::Required),
        }
    }

    async fn server(&self) -> &Server {
        let start = async || Server::over("docker", self.docker.runtime().await).await;
        self.server.get_or_init(start).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Harness for RemoteHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        self.server().await.runtime().await
    }

    fn source(&self) -> Source {
        self.docker.source()
    }

    fn spec(&self, spec: sandbox::SandboxSpecBuilder) -> sandbox::SandboxSpecBuilder {
        self.docker.spec(spec)
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        self.docker.network().await
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(self.runtime().await)
    }

    fn scratch(&self) -> SandboxPath {
        self.docker.scratch()
    }

    fn disk(&self) -> SandboxPath {
        self.docker.disk()
    }

    fn listener(&self, port: u16) -> Command {
        self.docker.listener(port)
    }

    fn missing_image(&self) -> String {
        self.docker.missing_image()
    }

    fn patience(&self) -> std::time::Duration {
        self.docker.patience()
    }
}

mod agent {
    sandbox_testkit::conformance!(
        crate::RemoteHarness::new(),
        ignore = "needs a Docker daemon"
    );
}
