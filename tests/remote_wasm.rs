//! The suite every runtime runs, against Wasm sandboxes behind a real server.

#[path = "../crates/sandbox-runtime-wasm/tests/harness/mod.rs"]
mod harness;
#[path = "../crates/sandbox-client/tests/support/mod.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox::{Command, Runtime, SandboxPath, Source};
use sandbox_testkit::conformance::{Harness, NetworkLab};
use tokio::sync::OnceCell;

use harness::WasmHarness;
use server::Server;

struct RemoteHarness {
    server: OnceCell<Server>,
    wasm: WasmHarness,
}

impl RemoteHarness {
    fn new(wasm: WasmHarness) -> Self {
        Self {
            server: OnceCell::new(),
            wasm,
        }
    }

    async fn server(&self) -> &Server {
        let start = async || Server::over("wasm", self.wasm.runtime().await).await;
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
        self.wasm.source()
    }

    fn spec(&self, spec: sandbox::SandboxSpecBuilder) -> sandbox::SandboxSpecBuilder {
        self.wasm.spec(spec)
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        self.wasm.network().await
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(self.runtime().await)
    }

    fn scratch(&self) -> SandboxPath {
        self.wasm.scratch()
    }

    fn disk(&self) -> SandboxPath {
        self.wasm.disk()
    }

    fn listener(&self, port: u16) -> Command {
        self.wasm.listener(port)
    }

    fn missing_image(&self) -> String {
        self.wasm.missing_image()
    }

    fn patience(&self) -> Duration {
        self.wasm.patience()
    }
}

mod closed {
    sandbox_testkit::conformance!(crate::RemoteHarness::new(
        crate::harness::WasmHarness::closed()
    ));
}

mod networked {
    sandbox_testkit::conformance!(
        crate::RemoteHarness::new(crate::harness::WasmHarness::networked()),
        ignore = "needs root, to lay a network around the machine"
    );
}
