//! A caller may leave at any point of any call, and nothing is left behind: no share of a quota, no
//! use that keeps a sandbox awake, no process that nobody watches, no sandbox that nobody knows.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use futures_util::StreamExt;
use sandbox_core::lifecycle::State;
use sandbox_core::{Command, Sandbox, SandboxExt, SandboxId, SandboxPath, WriteOptions};
use sandbox_engine::idempotency::{
    BodyHash, Claim, Effect, Idempotency, IdempotencyKey, IdempotencyLimits, MemoryIdempotency,
    Request,
};
use sandbox_engine::owners::{Held, MemoryOwners, OrganisationId, Owners, QuotaAdmission, Quotas};
use sandbox_engine::process::ProcessOptions;
use sandbox_engine::store::MemoryStore;
use sandbox_engine::{Engine, ListFilter, OwnerId};
use sandbox_testkit::{FakeDaemon, ManualClock};

use crate::support::{TestClock, builder, ephemeral, persistent, request, secs};

/// The most turns that a call may take.
const MOST_TURNS: usize = 5_000;

struct Scene {
    clock: ManualClock,
    daemon: FakeDaemon,
    owners: Arc<Owners>,
    organisation: OrganisationId,
    engine: Engine,
    keys: Idempotency,
}

impl Scene {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let daemon = FakeDaemon::with_clock(clock.clone());
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let made = owners.create_organisation("acme", Quotas::default(), clock.now());
        let organisation = made.await.unwrap().id;
        let ticking = Arc::new(TestClock(clock.clone()));
        let engine = builder(&clock, &daemon, &MemoryStore::new())
            .admission(QuotaAdmission::new(Arc::clone(&owners), ticking))
            .build()
            .await
            .unwrap();
        let answers = Arc::new(MemoryIdempotency::default());
        Self {
            clock,
            daemon,
            owners,
            organisation,
            engine,
            keys: Idempotency::new(answers, IdempotencyLimits::default()),
        }
    }

    fn owner(&self) -> OwnerId {
        OwnerId::from(&self.organisation)
    }

    /// A sandbox that falls asleep when nobody uses it.
    async fn sandbox(&self) -> SandboxId {
        let wanted = request(persistent(60)).owner(self.owner());
        self.engine.create(wanted).await.unwrap().id().clone()
    }

    async fn settle(&self) {
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
    }

    /// What a caller who left leaves behind: nothing.
    async fn check(&self, turns: usize) {
        self.settle().await;
        let page = self.engine.list(&ListFilter::default()).await.unwrap();
        let known: Vec<_> = page.sandboxes.iter().map(|one| one.id().clone()).collect();
        let mut exist: Vec<_> = self.daemon.sandboxes().into_keys().collect();
        let mut sorted = known.clone();
        sorted.sort();
        exist.sort();
        assert_eq!(sorted, exist, "after {turns} turns");
        for id in &known {
            self.check_processes(id, turns).await;
        }
        // Nothing keeps one awake that is idle.
        self.clock.advance(secs(61));
        self.settle().await;
        for id in &known {
            let record = self.engine.get(id).await.unwrap();
            let is_idle = record.lifecycle.idle_timeout().is_some();
            let rests = !is_idle || record.state() == State::Paused;
            assert!(rests, "after {turns} turns it is {}", record.state());
            self.engine.destroy(id).await.unwrap();
        }
        self.settle().await;
        assert!(self.daemon.sandboxes().is_empty(), "after {turns} turns");
        let held = self.owners.held(&self.organisation);
        assert_eq!(held, Held::default(), "after {turns} turns");
        self.engine.shutdown().await;
    }

    /// What runs is watched.
    async fn check_processes(&self, id: &SandboxId, turns: usize) {
        if self.engine.get(id).await.unwrap().state() != State::Running {
            return;
        }
        let sandbox = self.engine.sandbox(id).unwrap();
        let run = sandbox.processes().await.unwrap();
        let mut run: Vec<_> = run
            .iter()
            .filter(|one| one.spawned)
            .map(|one| one.pid)
            .collect();
        let watched = self.engine.processes(id).unwrap();
        let mut watched: Vec<_> = watched.iter().map(|one| one.pid()).collect();
        run.sort_unstable();
        watched.sort_unstable();
        assert_eq!(run, watched, "after {turns} turns");
    }
}

/// Gives `call` that many turns, with everybody else having theirs in between, and drops it. Whether
/// it came to its end.
async fn leave_after<T>(turns: usize, call: impl Future<Output = T>) -> bool {
    let mut call = Box::pin(call);
    for _ in 0..turns {
        let mut context = Context::from_waker(Waker::noop());
        if call.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Plays `play` with every number of turns until it comes to its end.
async fn leave_everywhere<F: Future<Output = (Scene, bool)>>(play: impl Fn(usize) -> F) {
    for turns in 0..MOST_TURNS {
        let (scene, is_over) = play(turns).await;
        scene.check(turns).await;
        if is_over {
            assert!(turns > 1, "it never waited");
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn a_create() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let wanted = request(ephemeral(600)).owner(scene.owner());
        let is_over = leave_after(turns, scene.engine.create(wanted)).await;
        (scene, is_over)
    })
    .await;
}

#[tokio::test]
async fn a_create_with_a_key() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let call = async {
            let key = IdempotencyKey::new("k").unwrap();
            let claim = Request::http(scene.owner().as_str(), "POST", "/", key);
            let hash = BodyHash::of([]);
            let claim = scene
                .keys
                .claim(claim, hash, Effect::Create, || scene.engine.now());
            let Claim::Run(mut guard) = claim.await.unwrap() else {
                panic!("nobody asked before");
            };
            let wanted = request(ephemeral(600)).owner(scene.owner());
            scene.engine.create_once(&mut guard, wanted).await.unwrap();
        };
        let is_over = leave_after(turns, call).await;
        (scene, is_over)
    })
    .await;
}

#[tokio::test]
async fn a_long_write() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let id = scene.sandbox().await;
        let sandbox = scene.engine.sandbox(&id).unwrap();
        let path = SandboxPath::new("/tmp/large").unwrap();
        let body = futures_util::stream::iter(0..20).then(|_| async {
            tokio::task::yield_now().await;
            Ok(Bytes::from(vec![7; 1024]))
        });
        let write = sandbox.write(&path, body.boxed(), WriteOptions::default());
        let is_over = leave_after(turns, write).await;
        (scene, is_over)
    })
    .await;
}

#[tokio::test]
async fn a_process() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let id = scene.sandbox().await;
        let sleep = Command::shell("sleep 100000");
        let start = scene
            .engine
            .start_process(&id, sleep, ProcessOptions::default());
        let is_over = leave_after(turns, start).await;
        (scene, is_over)
    })
    .await;
}

#[tokio::test]
async fn a_snapshot() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let id = scene.sandbox().await;
        let is_over = leave_after(turns, scene.engine.snapshot(&id)).await;
        scene.settle().await;
        // Whatever the runtime has, its owner has.
        let owned = scene.engine.snapshots(&scene.owner()).await.unwrap();
        let exist = scene.daemon.snapshots();
        assert_eq!(owned.len(), exist.len(), "after {turns} turns");
        (scene, is_over)
    })
    .await;
}

#[tokio::test]
async fn a_command_and_a_pause_and_a_destroy() {
    leave_everywhere(|turns| async move {
        let scene = Scene::new().await;
        let id = scene.sandbox().await;
        let call = async {
            let sandbox = scene.engine.sandbox(&id).unwrap();
            sandbox.exec(Command::shell("true")).await.unwrap();
            scene.engine.pause(&id).await.unwrap();
            scene.engine.resume(&id).await.unwrap();
            scene.engine.destroy(&id).await.unwrap();
        };
        let is_over = leave_after(turns, call).await;
        (scene, is_over)
    })
    .await;
}
