//! A runtime that was here before and is away when the server starts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use sandbox_core::{
    BoxStream, Capabilities, Error, ErrorKind, Health, Progress, Recovered, Result, Runtime,
    RuntimeEvent, RuntimeName, Sandbox, SandboxSpec, SnapshotId, Source,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How soon to try again after the first failure; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest time between two tries.
const LAST_RETRY: Duration = Duration::from_secs(30);

type Found = Option<Arc<dyn Runtime>>;

/// How a runtime is looked for.
pub(super) type Connect =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Runtime>>> + Send + Sync>;

/// Stands for a runtime that is away until it answers, and from then on is it. What it could do
/// when it was last here is what it is taken to be able to do; what it cannot do any more, its own
/// guard refuses.
pub(super) struct LateRuntime {
    name: RuntimeName,
    capabilities: Capabilities,
    found: watch::Receiver<Found>,
    search: JoinHandle<()>,
}

impl fmt::Debug for LateRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateRuntime")
            .field("name", &self.name)
            .field("found", &self.found.borrow().is_some())
            .finish_non_exhaustive()
    }
}

impl LateRuntime {
    /// Looks for the runtime `name` in the background, until `connect` finds it.
    pub(super) fn new(name: RuntimeName, capabilities: Capabilities, connect: Connect) -> Self {
        let (tell, found) = watch::channel(None);
        let looked_for = name.clone();
        Self {
            name,
            capabilities,
            found,
            search: tokio::spawn(search(looked_for, connect, tell)),
        }
    }

    fn get(&self) -> Result<Arc<dyn Runtime>> {
        self.found.borrow().clone().ok_or_else(|| {
            let message = format!("the runtime {} is away", self.name);
            Error::new(ErrorKind::Unavailable, "serve.runtime", message)
        })
    }
}

async fn search(name: RuntimeName, connect: Connect, tell: watch::Sender<Found>) {
    let mut pause = FIRST_RETRY;
    loop {
        match connect().await {
            Ok(runtime) => {
                tracing::info!(runtime = %name, "the runtime is back");
                tell.send_replace(Some(runtime));
                // Kept, so that nobody takes the runtime for gone.
                tell.closed().await;
                return;
            }
            Err(error) => tracing::warn!(runtime = %name, error = %error.report(), "still away"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

impl Drop for LateRuntime {
    fn drop(&mut self) {
        self.search.abort();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for LateRuntime {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.get()?.create(spec).await
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.get()?.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.get()?.recover().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.get()?.remove_snapshot(snapshot).await
    }

    /// That it is back, once it is, and then what it says itself.
    fn events(&self) -> BoxStream<RuntimeEvent> {
        let mut found = self.found.clone();
        let back = async move {
            let found = found.wait_for(Option::is_some).await.ok()?;
            (*found).clone()
        };
        let events = stream::once(back).flat_map(|found| match found {
            Some(runtime) => stream::once(async { RuntimeEvent::BackendBack })
                .chain(runtime.events())
                .boxed(),
            None => stream::empty().boxed(),
        });
        events.boxed()
    }

    async fn health(&self) -> Result<Health> {
        self.get()?.health().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use sandbox_engine::{CreateRequest, Engine};
    use sandbox_testkit::{FAKE_IMAGE, FakeRuntime, everything};

    use super::*;

    fn request() -> CreateRequest {
        CreateRequest::from_source(Source::Image(FAKE_IMAGE.into()))
    }

    #[tokio::test]
    async fn an_engine_uses_it_as_soon_as_it_is_back() {
        let here = Arc::new(AtomicBool::new(false));
        let tries = Arc::new(AtomicUsize::new(0));
        let daemon = FakeRuntime::new();
        let connect = {
            let (here, tries, daemon) = (Arc::clone(&here), Arc::clone(&tries), daemon.clone());
            Box::new(move || {
                tries.fetch_add(1, Ordering::SeqCst);
                let found = here.load(Ordering::SeqCst);
                let runtime: Arc<dyn Runtime> = Arc::new(daemon.reopen());
                let answer = match found {
                    true => Ok(runtime),
                    false => Err(Error::new(ErrorKind::Unavailable, "test", "away")),
                };
                Box::pin(async move { answer }) as BoxFuture<'static, _>
            })
        };
        let name = RuntimeName::new("docker").unwrap();
        let late = LateRuntime::new(name.clone(), everything(), connect);
        let engine = Engine::builder().runtime("docker", Arc::new(late));
        let engine = engine.build().await.unwrap();
        assert!(!engine.is_available(&name).unwrap());
        let refused = engine.create(request()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");

        while tries.load(Ordering::SeqCst) < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        here.store(true, Ordering::SeqCst);
        while !engine.is_available(&name).unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        engine.create(request()).await.unwrap();
        assert_eq!(daemon.daemon().sandboxes().len(), 1);
        engine.shutdown().await;
    }
}
