//! Runtimes that misbehave, callers that race, and a store that is full.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::State;
use sandbox_core::{
    BoxStream, Capabilities, Command, ErrorKind, Health, Progress, Recovered, Result, Runtime,
    RuntimeEvent, Sandbox, SandboxId, SandboxSpec, SnapshotId, Source,
};
use sandbox_engine::process::{OutputItem, ProcessOptions};
use sandbox_engine::store::{MemoryStore, Store};
use sandbox_engine::{Admission, CreateRequest, Engine, EngineConfig, OwnerId};
use sandbox_testkit::{Call, FakeDaemon, FakeRuntime, Fault, ManualClock, When};

use crate::support::{TestClock, World, builder, ephemeral, persistent, request, secs};

fn looser() -> EgressRules {
    EgressRules::allow_all()
}

async fn with_config(world: &World, config: EngineConfig) -> Engine {
    world.engine.shutdown().await;
    let builder = builder(&world.clock, &world.daemon, &world.store);
    builder.config(config).build().await.unwrap()
}

#[tokio::test]
async fn a_process_is_taken_up_once_however_often_the_runtime_comes_back() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let command = Command::shell("read x; echo got $x").piped_stdin();
    let started = world
        .engine
        .start_process(&id, command, ProcessOptions::default());
    started.await.unwrap();
    let faults = world.daemon.faults().clone();
    faults.inject(Fault::hang(Call::Attach, When::Before).always());
    let world = world.restart().await;
    faults.wait_for_hanging(1).await;
    world.daemon.come_back();
    world.settle().await;
    faults.clear();
    faults.release();
    world.settle().await;
    assert_eq!(faults.count(Call::Attach), 1);
    let process = world.engine.processes(&id).unwrap().remove(0);
    process.write_stdin("it\n".into()).await.unwrap();
    let mut reader = process.read(0);
    let mut said = String::new();
    while let Some(item) = reader.next().await {
        if let OutputItem::Output(chunk) = item {
            said.push_str(std::str::from_utf8(&chunk.data).unwrap());
        }
    }
    assert_eq!(said, "got it\n");
}

#[tokio::test]
async fn looser_rules_that_came_into_force_after_the_time_limit_are_taken_back() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let faults = world.daemon.faults();
    faults.inject(Fault::hang(Call::SetEgress, When::After));
    let engine = world.engine.clone();
    let setting = tokio::spawn({
        let id = id.clone();
        async move { engine.set_egress(&id, looser()).await }
    });
    faults.wait_for_hanging(1).await;
    world.clock.advance(secs(60));
    let error = setting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    world.settle().await;
    let record = world.engine.get(&id).await.unwrap();
    assert_eq!(*record.egress, EgressRules::deny_all());
    assert_eq!(
        world.daemon.sandboxes()[&id].egress,
        EgressRules::deny_all()
    );
}

#[tokio::test]
async fn rules_that_could_not_be_set_again_are_tried_until_they_are_in_force() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let faults = world.daemon.faults();
    faults.inject(Fault::hang(Call::SetEgress, When::After));
    let engine = world.engine.clone();
    let setting = tokio::spawn({
        let id = id.clone();
        async move { engine.set_egress(&id, looser()).await }
    });
    faults.wait_for_hanging(1).await;
    let refused = Fault::fail(Call::SetEgress, When::Before, ErrorKind::Unavailable);
    faults.inject(refused);
    world.clock.advance(secs(60));
    setting.await.unwrap().unwrap_err();
    world.settle().await;
    assert_eq!(world.daemon.sandboxes()[&id].egress, looser(), "it failed");
    world.clock.advance(secs(30));
    world.settle().await;
    assert_eq!(
        world.daemon.sandboxes()[&id].egress,
        EgressRules::deny_all()
    );
}

#[tokio::test]
async fn what_comes_of_a_creation_after_its_time_limit_is_removed() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Create, When::Before));
    let engine = world.engine.clone();
    let creating = tokio::spawn(async move { engine.create(request(ephemeral(3600))).await });
    world.daemon.faults().wait_for_hanging(1).await;
    world.clock.advance(secs(600));
    let error = creating.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let page = world.engine.list(&Default::default()).await.unwrap();
    let record = page.sandboxes[0].clone();
    world.settle().await;
    // The daemon gets there in the end.
    world.daemon.connect().create(&record.spec).await.unwrap();
    assert_eq!(world.daemon.sandboxes().len(), 1);
    world.clock.advance(secs(30));
    world.settle().await;
    assert!(world.daemon.sandboxes().is_empty());
    assert_eq!(world.state(record.id()).await, State::Failed);
}

#[tokio::test]
async fn of_two_processes_that_race_for_the_last_place_one_is_refused() {
    let world = World::new().await;
    let mut config = EngineConfig::default();
    config.max_processes = 1;
    let engine = with_config(&world, config).await;
    let record = engine.create(request(ephemeral(3600))).await.unwrap();
    let faults = world.daemon.faults();
    faults.inject(Fault::hang(Call::Spawn, When::Before));
    let start = || {
        engine.start_process(
            record.id(),
            Command::shell("cat"),
            ProcessOptions::default(),
        )
    };
    let first = tokio::spawn({
        let (engine, id) = (engine.clone(), record.id().clone());
        async move {
            let command = Command::shell("sleep 1000");
            let options = ProcessOptions::default();
            engine.start_process(&id, command, options).await
        }
    });
    faults.wait_for_hanging(1).await;
    let error = start().await.unwrap_err();
    assert_eq!(error.field(), Some("processes"));
    // A caller that leaves gives its place back.
    first.abort();
    assert!(first.await.is_err());
    start().await.unwrap();
}

#[tokio::test]
async fn shutdown_waits_no_longer_than_it_says_for_a_runtime_that_never_answers() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Recover, When::Before));
    world.daemon.come_back();
    world.daemon.faults().wait_for_hanging(1).await;
    let engine = world.engine.clone();
    let stopping = tokio::spawn(async move { engine.shutdown().await });
    world.settle().await;
    world.clock.advance(EngineConfig::default().shutdown_grace);
    world.settle().await;
    assert!(stopping.is_finished());
}

/// Creations that fail at once cost no quota, so something else has to bound them.
#[tokio::test]
async fn an_owner_cannot_fill_the_engine_with_sandboxes_that_failed() {
    let world = World::new().await;
    let mut config = EngineConfig::default();
    config.max_failed = 3;
    let engine = with_config(&world, config).await;
    let missing = || {
        let image = Source::Image("no/such".into());
        CreateRequest::from_source(image).lifecycle(persistent(60))
    };
    let other = missing().owner(OwnerId::new("other").unwrap());
    engine.create(other).await.unwrap_err();
    for _ in 0..10 {
        engine.create(missing()).await.unwrap_err();
        world.settle().await;
    }
    let page = engine.list(&Default::default()).await.unwrap();
    let owners: Vec<_> = page
        .sandboxes
        .iter()
        .map(|one| one.owner.as_str())
        .collect();
    assert_eq!(owners, ["default", "default", "default", "other"]);
    assert_eq!(page.sandboxes[0].seq, 11, "the last ones are kept");
}

#[derive(Debug, Clone, Default)]
struct Shares(Arc<Mutex<BTreeSet<SandboxId>>>);

#[async_trait]
impl Admission for Shares {
    async fn admit(&self, owner: &OwnerId, spec: &SandboxSpec) -> Result<()> {
        self.restore(owner, spec);
        Ok(())
    }

    fn restore(&self, _owner: &OwnerId, spec: &SandboxSpec) {
        self.0.lock().unwrap().insert(spec.id().clone());
    }

    fn release(&self, _owner: &OwnerId, id: &SandboxId) {
        self.0.lock().unwrap().remove(id);
    }
}

#[tokio::test]
async fn a_failed_sandbox_that_gave_its_share_back_does_not_take_it_again_at_a_restart() {
    let world = World::new().await;
    let fault = Fault::fail(Call::Create, When::Before, ErrorKind::Internal);
    world.daemon.faults().inject(fault);
    let failing = world.engine.create(request(ephemeral(3600))).await;
    failing.unwrap_err();
    world.settle().await;
    let lives = world.create(ephemeral(3600)).await;
    world.engine.shutdown().await;
    world.daemon.go_away();
    let shares = Shares::default();
    let builder = builder(&world.clock, &world.daemon, &world.store);
    let _engine = builder.admission(shares.clone()).build().await.unwrap();
    assert_eq!(*shares.0.lock().unwrap(), BTreeSet::from([lives]));
}

/// A runtime whose first stream of events ends.
#[derive(Debug)]
struct BreaksOff {
    inner: FakeRuntime,
    broke_off: AtomicBool,
}

#[async_trait]
impl Runtime for BreaksOff {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.inner.create(spec).await
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.inner.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.inner.recover().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.inner.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        match self.broke_off.swap(true, SeqCst) {
            true => self.inner.events(),
            false => Box::pin(futures_util::stream::empty()),
        }
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

#[tokio::test]
async fn a_runtime_whose_events_break_off_is_looked_at_and_listened_to_again() {
    let world = World::new().await;
    let runtime = BreaksOff {
        inner: world.daemon.connect(),
        broke_off: AtomicBool::new(false),
    };
    let engine = Engine::builder()
        .runtime("breaks", Arc::new(runtime))
        .clock(TestClock(world.clock.clone()))
        .build()
        .await
        .unwrap();
    let create = || engine.create(request(ephemeral(3600)));
    let (missed, heard) = (create().await.unwrap(), create().await.unwrap());
    world.settle().await;
    world.daemon.vanish(missed.id());
    world.clock.advance(secs(30));
    world.settle().await;
    let state = async |id: &SandboxId| engine.get(id).await.unwrap().state();
    assert_eq!(state(missed.id()).await, State::Failed);
    world.daemon.crash(heard.id());
    world.settle().await;
    assert_eq!(state(heard.id()).await, State::Failed);
}

#[tokio::test]
async fn a_pause_that_the_runtime_cannot_do_is_refused_before_anything_is_written() {
    let clock = ManualClock::new();
    let mut capabilities = FakeDaemon::new().connect().capabilities().clone();
    capabilities.pause = false;
    let daemon = FakeDaemon::with_clock_and_capabilities(clock.clone(), capabilities);
    let store = MemoryStore::new();
    let engine = builder(&clock, &daemon, &store).build().await.unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    let last = *store.committed().borrow();
    let error = engine
        .sandbox(record.id())
        .unwrap()
        .pause()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unsupported, Some("pause"))
    );
    assert_eq!(
        *store.committed().borrow(),
        last,
        "no action was begun, so none failed"
    );
}
