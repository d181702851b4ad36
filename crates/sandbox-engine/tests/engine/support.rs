//! An engine with everything around it that a test holds in its hands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::lifecycle::{Ephemeral, LifecyclePolicy, Persistent, State};
use sandbox_core::{SandboxId, Source, Timestamp};
use sandbox_engine::store::MemoryStore;
use sandbox_engine::{Clock, CreateRequest, Engine, EngineBuilder};
use sandbox_testkit::{FAKE_IMAGE, FakeDaemon, ManualClock};

/// The test's clock as the engine takes one.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(pub(crate) ManualClock);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.0.sleep_until(deadline).await;
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) daemon: FakeDaemon,
    pub(crate) store: MemoryStore,
    pub(crate) engine: Engine,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::new();
        let daemon = FakeDaemon::with_clock(clock.clone());
        let store = MemoryStore::new();
        let engine = builder(&clock, &daemon, &store).build().await.unwrap();
        Self {
            clock,
            daemon,
            store,
            engine,
        }
    }

    /// Another engine over the same store and daemon, once the first one is gone.
    pub(crate) async fn restart(self) -> Self {
        self.engine.shutdown().await;
        let engine = builder(&self.clock, &self.daemon, &self.store)
            .build()
            .await
            .unwrap();
        Self { engine, ..self }
    }

    pub(crate) async fn create(&self, policy: LifecyclePolicy) -> SandboxId {
        let record = self.engine.create(request(policy)).await.unwrap();
        assert_eq!(record.state(), State::Running);
        record.id().clone()
    }

    pub(crate) async fn state(&self, id: &SandboxId) -> State {
        self.engine.get(id).await.unwrap().state()
    }

    /// Waits until the sandbox is in `state`; everything that leads there is on its way.
    pub(crate) async fn reaches(&self, id: &SandboxId, state: State) {
        for _ in 0..100_000 {
            if self.state(id).await == state {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it is {} and not {state}", self.state(id).await);
    }

    /// Lets everything run that has something to do now.
    pub(crate) async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn builder(
    clock: &ManualClock,
    daemon: &FakeDaemon,
    store: &MemoryStore,
) -> EngineBuilder {
    Engine::builder()
        .runtime("fake", Arc::new(daemon.connect()))
        .store(store.clone())
        .clock(TestClock(clock.clone()))
}

pub(crate) fn source() -> Source {
    Source::Image(FAKE_IMAGE.into())
}

pub(crate) fn request(policy: LifecyclePolicy) -> CreateRequest {
    CreateRequest::from_source(source()).lifecycle(policy)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn ephemeral(time_to_live: u64) -> LifecyclePolicy {
    LifecyclePolicy::new(Ephemeral::new(secs(time_to_live))).unwrap()
}

pub(crate) fn persistent(idle: u64) -> LifecyclePolicy {
    LifecyclePolicy::new(Persistent::new(secs(idle))).unwrap()
}
