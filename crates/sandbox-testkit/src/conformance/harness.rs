//! What the suite has to be told about a runtime.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Command, Runtime, SandboxPath, SandboxSpecBuilder, Source};

use super::NetworkLab;

/// A runtime to be tested, and what the suite cannot find out about it by itself.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The runtime. Asked for once a case.
    async fn runtime(&self) -> Arc<dyn Runtime>;

    /// What sandboxes are made from: an image with a POSIX shell at `/bin/sh`, the usual small
    /// programs (BusyBox or coreutils), a user `nobody` (65534), and root as its default user.
    fn source(&self) -> Source;

    /// Changes the spec of every sandbox that the suite makes, after the case has had its say.
    fn spec(&self, spec: SandboxSpecBuilder) -> SandboxSpecBuilder {
        spec
    }

    /// The network around the sandboxes. A runtime that reports any
    /// [`EgressCapabilities`](sandbox_core::EgressCapabilities) needs one: policies are tested by
    /// connecting.
    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        None
    }

    /// Another runtime over the same backend, as after a restart of the program. A runtime that
    /// reports [`Capabilities::recover`](sandbox_core::Capabilities::recover) needs one.
    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        None
    }

    /// A directory in which the suite may do as it likes. Default: `/tmp`.
    fn scratch(&self) -> SandboxPath {
        path("/tmp")
    }

    /// A directory that the disk limit counts. Default: [`scratch`](Self::scratch).
    fn disk(&self) -> SandboxPath {
        self.scratch()
    }

    /// A command that listens on `port` of the sandbox's loopback and sends back what the first
    /// connection says until that ends. Default: `nc -l -p PORT -e cat`.
    fn listener(&self, port: u16) -> Command {
        let port = port.to_string();
        Command::argv(["nc", "-l", "-p", &port, "-e", "cat"])
    }

    /// An image that does not exist.
    fn missing_image(&self) -> String {
        "conformance.invalid/no-such-image:none".to_owned()
    }

    /// How long the suite waits for what should happen soon. Default: 30 seconds. A whole case may
    /// take six times that.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// A path that is known to be good.
pub(super) fn path(text: &str) -> SandboxPath {
    SandboxPath::new(text).unwrap_or_else(|error| panic!("{error}"))
}
