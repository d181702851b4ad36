//! What the networks of all sandboxes of a runtime share: one thread that watches the host's
//! sockets, and the limits of what they may take together.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Sleep;

use super::config::NetworkConfig;
use super::limit::Limit;
use super::resolver::Resolver;
use super::surroundings::{Host, Surroundings};
use crate::kernel::{Errno, Result};

/// Threads for what blocks: the host's resolver.
const BLOCKING_THREADS: usize = 64;
/// Resolvers of C libraries keep their answers on the stack.
const STACK_BYTES: usize = 1 << 20;
/// See [`Hub::lifetime`].
const LIFETIME: Duration = Duration::from_secs(3600);

/// The shared part of the networks. Nothing runs before the first sandbox needs the host's network.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) connect_timeout: Duration,
    /// How long a name's address stays open after the last answer that named it: not its record's
    /// time to live, for connections outlast it, and a sandbox that means to keep an address would
    /// ask again.
    pub(super) lifetime: Duration,
    /// Sockets of the host.
    pub(super) sockets: Arc<Limit>,
    /// `None` when it could not be started.
    runtime: OnceLock<Option<Runtime>>,
}

impl Hub {
    /// The shared part for one runtime.
    pub(crate) fn new(config: NetworkConfig) -> Arc<Self> {
        let host = Host::new(config.protected.clone(), config.open.clone());
        Arc::new(Self::around(config, Arc::new(host)))
    }

    pub(super) fn around(config: NetworkConfig, surroundings: Arc<dyn Surroundings>) -> Self {
        Self {
            surroundings,
            resolver: config.resolver,
            connect_timeout: config.connect_timeout,
            lifetime: LIFETIME,
            sockets: Limit::new(config.max_sockets),
            runtime: OnceLock::new(),
        }
    }

    /// The thread that watches; the first call starts it.
    ///
    /// # Errors
    /// `NOBUFS` when the host has no thread for it.
    pub(super) fn handle(&self) -> Result<&Handle> {
        let runtime = self.runtime.get_or_init(|| {
            let built = Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_stack_size(STACK_BYTES)
                .thread_name("sandbox-net")
                .enable_all()
                .build();
            built
                .inspect_err(|error| tracing::error!(%error, "no thread for the network"))
                .ok()
        });
        runtime.as_ref().map(Runtime::handle).ok_or(Errno::NOBUFS)
    }

    /// A timer that any task may wait for.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub(super) fn sleep(&self, duration: Duration) -> Result<Pin<Box<Sleep>>> {
        let _inside = self.handle()?.enter();
        Ok(Box::pin(tokio::time::sleep(duration)))
    }

    /// Runs `work` after `delay`; at once when there is nobody to wait for it.
    pub(super) fn after(&self, delay: Duration, work: impl FnOnce() + Send + 'static) {
        match self.handle() {
            Ok(handle) => {
                handle.spawn(async move {
                    tokio::time::sleep(delay).await;
                    work();
                });
            }
            Err(_) => work(),
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(Some(runtime)) = self.runtime.take() {
            // Waiting for it would be an error on a thread of another async runtime, and the
            // resolver's threads may hang.
            runtime.shutdown_background();
        }
    }
}
