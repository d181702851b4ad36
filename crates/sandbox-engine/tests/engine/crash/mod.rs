//! The program dies at every write and at every action, before and after it, and the next one finds
//! everything.
//!
//! Death is as sudden as in a real kill: the Tokio runtime on which the engine lived is never run
//! again, so that not one more line of it executes.

pub(crate) mod hooked;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sandbox_core::lifecycle::State;
use sandbox_core::{Command, RecoveredState, SandboxId};
use sandbox_engine::process::ProcessOptions;
use sandbox_engine::store::MemoryStore;
use sandbox_engine::{CreateRequest, Engine, ListFilter};
use sandbox_testkit::{Call, FakeDaemon, Fault, ManualClock, When};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use self::hooked::{Death, Hook, HookedStore};
use crate::support::{TestClock, ephemeral, persistent, request, secs};

/// What users were told, and what they had asked for when the program died.
#[derive(Debug, Default, Clone)]
struct Told {
    states: BTreeMap<SandboxId, State>,
    asked: Option<(SandboxId, State)>,
}

#[derive(Clone, Default)]
struct Users(Arc<Mutex<Told>>);

impl Users {
    /// Notes what is asked, and, once it is answered, what was told.
    async fn ask<T, E: std::fmt::Debug>(
        &self,
        id: &SandboxId,
        state: State,
        call: impl Future<Output = Result<T, E>>,
    ) -> T {
        self.0.lock().unwrap().asked = Some((id.clone(), state));
        let answer = call.await.unwrap();
        let mut told = self.0.lock().unwrap();
        told.asked = None;
        told.states.insert(id.clone(), state);
        answer
    }
}

fn named(id: &str, mut request: CreateRequest) -> (SandboxId, CreateRequest) {
    let id = SandboxId::new(id).unwrap();
    request.id = Some(id.clone());
    (id, request)
}

/// What users do until the program dies.
async fn story(engine: Engine, clock: ManualClock, users: Users) {
    let (a, first) = named("a", request(ephemeral(600)));
    users.ask(&a, State::Running, engine.create(first)).await;
    let (b, second) = named("b", request(persistent(60).with_auto_wake(true)));
    users.ask(&b, State::Running, engine.create(second)).await;
    users.ask(&a, State::Paused, engine.pause(&a)).await;
    let command = Command::shell("sleep 100000");
    let started = engine.start_process(&b, command, ProcessOptions::default());
    users.ask(&b, State::Running, started).await;
    users.ask(&a, State::Running, engine.resume(&a)).await;
    users.ask(&b, State::Paused, engine.pause(&b)).await;
    clock.advance(secs(5));
    users.ask(&a, State::Destroyed, engine.destroy(&a)).await;
    let (c, third) = named("c", request(ephemeral(600)));
    users.ask(&c, State::Running, engine.create(third)).await;
    users.ask(&b, State::Running, engine.resume(&b)).await;
    users.ask(&b, State::Destroyed, engine.destroy(&b)).await;
}

fn tokio_runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

struct Scene {
    clock: ManualClock,
    daemon: FakeDaemon,
    store: MemoryStore,
    users: Users,
}

impl Scene {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            daemon: FakeDaemon::with_clock(clock.clone()),
            clock,
            store: MemoryStore::new(),
            users: Users::default(),
        }
    }

    /// Plays the story until `death`. Whether the program died before its end.
    fn play(&self, hook: Hook, death: impl Future<Output = ()>) -> bool {
        let runtime = tokio_runtime();
        let died = runtime.block_on(async {
            let engine = Engine::builder()
                .runtime("fake", Arc::new(self.daemon.connect()))
                .store(HookedStore::new(self.store.clone(), hook))
                .clock(TestClock(self.clock.clone()))
                .build()
                .await
                .unwrap();
            let story = story(engine.clone(), self.clock.clone(), self.users.clone());
            let died = tokio::select! {
                biased;
                () = death => true,
                () = story => false,
            };
            // Not even its destructor runs.
            std::mem::forget(engine);
            died
        });
        std::mem::forget(runtime);
        died
    }

    /// The next program starts, and everything is as users may expect.
    fn check(&self, what: &str) {
        self.daemon.faults().clear();
        let runtime = tokio_runtime();
        runtime.block_on(async {
            let engine = crate::support::builder(&self.clock, &self.daemon, &self.store)
                .build()
                .await
                .unwrap();
            settle().await;
            self.check_told(&engine, what).await;
            self.check_matched(&engine, what).await;
            self.check_deadlines(&engine, what).await;
            engine.shutdown().await;
        });
    }

    /// What users were told holds; what they asked for and heard nothing of has happened or not.
    async fn check_told(&self, engine: &Engine, what: &str) {
        let told = self.users.0.lock().unwrap().clone();
        for (id, state) in &told.states {
            let record = engine.get(id).await;
            let record = record.unwrap_or_else(|error| panic!("{what}: {id} is lost: {error}"));
            let may_be = match &told.asked {
                Some((asked, wanted)) if asked == id => vec![*state, *wanted],
                Some(_) | None => vec![*state],
            };
            let is = record.state();
            assert!(
                may_be.contains(&is),
                "{what}: {id} is {is}, told {may_be:?}"
            );
        }
    }

    /// What the engine knows and what exists are the same.
    async fn check_matched(&self, engine: &Engine, what: &str) {
        let exist = self.daemon.sandboxes();
        let page = engine.list(&ListFilter::default()).await.unwrap();
        for record in &page.sandboxes {
            let real = exist.get(record.id()).map(|info| info.state);
            let expected = match record.state() {
                State::Running => Some(RecoveredState::Running),
                State::Paused => Some(RecoveredState::Paused),
                State::Failed => None,
                other => panic!("{what}: {} is {other} and comes to no rest", record.id()),
            };
            assert_eq!(
                real,
                expected,
                "{what}: {} is {}",
                record.id(),
                record.state()
            );
        }
        for id in exist.keys() {
            let known = page.sandboxes.iter().any(|record| record.id() == id);
            assert!(known, "{what}: {id} is an orphan");
        }
    }

    /// Every sandbox still comes to its end.
    async fn check_deadlines(&self, engine: &Engine, what: &str) {
        self.clock.advance(secs(1200));
        settle().await;
        let page = engine.list(&ListFilter::default()).await.unwrap();
        let mut holding = 0;
        for record in &page.sandboxes {
            assert_eq!(
                record.id().as_str(),
                "b",
                "{what}: only that one has no end"
            );
            match record.state() {
                State::Paused => holding += 1,
                // Nobody had been told of it; what it left is gone.
                State::Failed => assert!(!record.lifecycle.holds_resources(), "{what}"),
                other => panic!("{what}: b is {other}"),
            }
        }
        assert_eq!(self.daemon.sandboxes().len(), holding, "{what}: an orphan");
    }
}

async fn settle() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_death_at_any_write_loses_nothing_and_orphans_nothing() {
    for when in [When::Before, When::After] {
        let mut deaths = 0;
        for nth in 1.. {
            let scene = Scene::new();
            let died = Arc::new(Notify::new());
            let hook = Hook::death(Death {
                nth,
                when,
                writes: Arc::new(AtomicUsize::new(0)),
                died: Arc::clone(&died),
            });
            let is_dead = scene.play(hook, async move { died.notified().await });
            scene.check(&format!("{when:?} write {nth}"));
            if !is_dead {
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 18, "only {deaths} writes were tried");
    }
}

#[test]
fn a_death_at_any_action_loses_nothing_and_orphans_nothing() {
    let deaths = AtomicUsize::new(0);
    for call in [
        Call::Create,
        Call::Pause,
        Call::Resume,
        Call::Destroy,
        Call::Spawn,
    ] {
        for when in [When::Before, When::After] {
            for nth in 1.. {
                let scene = Scene::new();
                let faults = scene.daemon.faults().clone();
                faults.inject(Fault::hang(call, when).nth(nth));
                let is_dead = scene.play(Hook::default(), async move {
                    faults.wait_for_hanging(1).await;
                });
                scene.check(&format!("{when:?} {call} {nth}"));
                if !is_dead {
                    break;
                }
                deaths.fetch_add(1, SeqCst);
            }
        }
    }
    // Three creates, two each of the others, one spawn; before and after.
    assert_eq!(deaths.into_inner(), 20);
}

#[test]
fn a_program_that_dies_again_and_again_while_it_recovers_still_recovers() {
    let scene = Scene::new();
    let faults = scene.daemon.faults().clone();
    faults.inject(Fault::hang(Call::Destroy, When::After));
    let hanging = faults.clone();
    assert!(scene.play(Hook::default(), async move {
        hanging.wait_for_hanging(1).await;
    }));
    for nth in 1..6 {
        let died = Arc::new(Notify::new());
        let death = Death {
            nth,
            when: When::Before,
            writes: Arc::new(AtomicUsize::new(0)),
            died: Arc::clone(&died),
        };
        let runtime = tokio_runtime();
        runtime.block_on(async {
            let building = Engine::builder()
                .runtime("fake", Arc::new(scene.daemon.connect()))
                .store(HookedStore::new(scene.store.clone(), Hook::death(death)))
                .clock(TestClock(scene.clock.clone()))
                .build();
            tokio::select! {
                biased;
                () = died.notified() => {}
                engine = building => std::mem::forget(engine.unwrap()),
            }
        });
        std::mem::forget(runtime);
    }
    scene.check("after five more deaths");
}
