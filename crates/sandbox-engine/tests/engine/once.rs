//! A create with an idempotency key ends with one sandbox, wherever the program dies.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use sandbox_core::lifecycle::State;
use sandbox_core::{Command, Error, ErrorKind, Result, SandboxExt, SandboxId};
use sandbox_engine::idempotency::{
    Answer, BodyHash, Claim, Effect, Idempotency, IdempotencyKey, IdempotencyLimits, Kept,
    MemoryIdempotency, Request,
};
use sandbox_engine::store::MemoryStore;
use sandbox_engine::{Engine, ListFilter, OwnerId};
use sandbox_testkit::{Call, FakeDaemon, Fault, ManualClock, When};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::crash::hooked::{Death, Hook, HookedKeys, HookedStore};
use crate::support::{TestClock, World, ephemeral, request, secs};

fn key(effect: Effect) -> (Request, BodyHash, Effect) {
    let key = IdempotencyKey::new("k").unwrap();
    let request = Request::http("default", "POST", "/v1/sandboxes", key);
    (request, BodyHash::of([b"body".as_slice()]), effect)
}

fn answer(text: impl Into<String>) -> Answer {
    Answer {
        status: 200,
        headers: Vec::new(),
        body: Bytes::from(text.into()),
    }
}

async fn claim(engine: &Engine, keys: &Idempotency, effect: Effect) -> Result<Claim> {
    let (request, body, effect) = key(effect);
    keys.claim(request, body, effect, || engine.now()).await
}

/// What a server does with a create that has a key. The id that is answered.
async fn create(engine: &Engine, keys: &Idempotency) -> Result<String> {
    let mut guard = match claim(engine, keys, Effect::Create).await? {
        Claim::Run(guard) => guard,
        Claim::Answered(answer) => return Ok(String::from_utf8(answer.body.to_vec()).unwrap()),
    };
    let mut wanted = request(ephemeral(600));
    wanted.start = Some(Command::shell("echo x >> /tmp/starts; sleep 100000"));
    match engine.create_once(&mut guard, wanted).await {
        Ok(record) => {
            guard.finish(answer(record.id().as_str())).await?;
            Ok(record.id().to_string())
        }
        Err(error) => {
            guard.fail(&error, answer("error")).await?;
            Err(error)
        }
    }
}

struct Scene {
    clock: ManualClock,
    daemon: FakeDaemon,
    store: MemoryStore,
    keys: Arc<MemoryIdempotency>,
}

fn tokio_runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

impl Scene {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            daemon: FakeDaemon::with_clock(clock.clone()),
            clock,
            store: MemoryStore::new(),
            keys: Arc::default(),
        }
    }

    async fn start(&self, death: Option<Death>) -> (Engine, Idempotency) {
        let hook = death.clone().map(Hook::death).unwrap_or_default();
        let engine = Engine::builder()
            .runtime("fake", Arc::new(self.daemon.connect()))
            .store(HookedStore::new(self.store.clone(), hook))
            .clock(TestClock(self.clock.clone()))
            .build()
            .await
            .unwrap();
        let store = HookedKeys::new(&self.keys, death);
        let keys = Idempotency::new(Arc::new(store), IdempotencyLimits::default());
        (engine, keys)
    }

    /// Sends the create to a program that dies at `death`. Whether it died before it answered.
    fn send_and_die(&self, hook: Option<Death>, death: impl Future<Output = ()>) -> bool {
        let runtime = tokio_runtime();
        let died = runtime.block_on(async {
            let mut program = Box::pin(async {
                let (engine, keys) = self.start(hook).await;
                let answered = create(&engine, &keys).await;
                std::mem::forget((engine, keys));
                answered
            });
            let died = tokio::select! {
                biased;
                () = death => true,
                answered = &mut program => answered.is_err(),
            };
            // Not even its destructor runs.
            std::mem::forget(program);
            died
        });
        std::mem::forget(runtime);
        died
    }

    /// The next program gets the same request again, twice.
    fn check(&self, what: &str) {
        self.daemon.faults().clear();
        tokio_runtime().block_on(async {
            let (engine, keys) = self.start(None).await;
            let id = create(&engine, &keys).await;
            let id = id.unwrap_or_else(|error| panic!("{what}: {}", error.report()));
            assert_eq!(create(&engine, &keys).await.unwrap(), id, "{what}");
            // What was begun before and came to nothing is being removed.
            for _ in 0..2_000 {
                tokio::task::yield_now().await;
            }
            let page = engine.list(&ListFilter::default()).await.unwrap();
            let living: Vec<_> = page.sandboxes.iter().map(|one| one.id().as_str()).collect();
            assert_eq!(living, [id.as_str()], "{what}");
            assert_eq!(page.sandboxes[0].state(), State::Running, "{what}");
            let id = SandboxId::new(id).unwrap();
            let exist: Vec<_> = self.daemon.sandboxes().into_keys().collect();
            assert_eq!(exist, std::slice::from_ref(&id), "{what}");
            assert_eq!(starts(&engine, &id).await, "x\n", "{what}");
            engine.shutdown().await;
        });
    }
}

/// A line for each time that its command was started.
async fn starts(engine: &Engine, id: &SandboxId) -> String {
    let sandbox = engine.sandbox(id).unwrap();
    for _ in 0..1_000 {
        let output = sandbox.exec(Command::shell("cat /tmp/starts")).await;
        let text = output.unwrap().stdout_lossy().to_string();
        if !text.is_empty() {
            return text;
        }
        tokio::task::yield_now().await;
    }
    String::new()
}

fn death(nth: usize, when: When) -> (Death, Arc<Notify>) {
    let died = Arc::new(Notify::new());
    let death = Death {
        nth,
        when,
        writes: Arc::new(AtomicUsize::new(0)),
        died: Arc::clone(&died),
    };
    (death, died)
}

#[test]
fn a_death_at_any_write_leaves_one_sandbox_however_often_it_is_asked_for() {
    for when in [When::Before, When::After] {
        let mut deaths = 0;
        for nth in 1.. {
            let scene = Scene::new();
            let (hook, died) = death(nth, when);
            let is_dead = scene.send_and_die(Some(hook), async move { died.notified().await });
            scene.check(&format!("{when:?} write {nth}"));
            if !is_dead {
                break;
            }
            deaths += 1;
        }
        // The claim, the sandbox, its command twice, that it runs, the answer.
        assert!(deaths >= 6, "only {deaths} writes were tried");
    }
}

#[test]
fn a_death_while_the_runtime_makes_it_leaves_one_sandbox_that_started_its_command_once() {
    for call in [Call::Create, Call::Spawn] {
        for when in [When::Before, When::After] {
            let scene = Scene::new();
            let faults = scene.daemon.faults().clone();
            faults.inject(Fault::hang(call, when));
            assert!(scene.send_and_die(None, async move { faults.wait_for_hanging(1).await }));
            scene.check(&format!("{when:?} {call}"));
        }
    }
}

#[test]
fn a_second_death_while_it_is_made_again_still_leaves_one_sandbox() {
    for when in [When::Before, When::After] {
        for nth in 1..12 {
            let scene = Scene::new();
            let faults = scene.daemon.faults().clone();
            faults.inject(Fault::hang(Call::Create, When::Before));
            assert!(scene.send_and_die(None, async move { faults.wait_for_hanging(1).await }));
            scene.daemon.faults().clear();
            let (hook, died) = death(nth, when);
            scene.send_and_die(Some(hook), async move { died.notified().await });
            scene.check(&format!("{when:?} write {nth} of the second try"));
        }
    }
}

fn keys() -> Idempotency {
    Idempotency::new(
        Arc::new(MemoryIdempotency::default()),
        IdempotencyLimits::default(),
    )
}

#[tokio::test]
async fn a_client_that_leaves_finds_its_sandbox_when_it_comes_back() {
    let (world, keys) = (World::new().await, keys());
    let faults = world.daemon.faults().clone();
    faults.inject(Fault::hang(Call::Create, When::After));
    let leaving = tokio::spawn({
        let (engine, keys) = (world.engine.clone(), keys.clone());
        async move { create(&engine, &keys).await }
    });
    faults.wait_for_hanging(1).await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    let back = tokio::spawn({
        let (engine, keys) = (world.engine.clone(), keys.clone());
        async move { create(&engine, &keys).await }
    });
    world.settle().await;
    faults.release();
    let id = back.await.unwrap().unwrap();
    assert_eq!(world.daemon.faults().count(Call::Create), 1);
    assert_eq!(world.daemon.sandboxes().len(), 1);
    assert_eq!(create(&world.engine, &keys).await.unwrap(), id);
}

/// The server dies between the sandbox and the answer.
async fn interrupted(world: &World, keys: &Idempotency) -> SandboxId {
    let Claim::Run(mut guard) = claim(&world.engine, keys, Effect::Create).await.unwrap() else {
        panic!("nobody asked before");
    };
    let wanted = request(ephemeral(600));
    let made = world.engine.create_once(&mut guard, wanted).await.unwrap();
    assert_eq!(guard.reserved(), Some(made.id()));
    made.id().clone()
}

#[tokio::test]
async fn a_sandbox_that_came_to_its_end_meanwhile_is_not_made_again() {
    let (world, keys) = (World::new().await, keys());
    let id = interrupted(&world, &keys).await;
    world.engine.destroy(&id).await.unwrap();
    let error = create(&world.engine, &keys).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains(id.as_str()), "{error}");
    let answered = claim(&world.engine, &keys, Effect::Create).await.unwrap();
    assert!(matches!(answered, Claim::Answered(found) if found == answer("error")));
    assert_eq!(world.daemon.faults().count(Call::Create), 1);
}

#[tokio::test]
async fn a_paused_sandbox_is_answered_and_not_woken() {
    let (world, keys) = (World::new().await, keys());
    let id = interrupted(&world, &keys).await;
    world.engine.pause(&id).await.unwrap();
    assert_eq!(create(&world.engine, &keys).await.unwrap(), id.as_str());
    assert_eq!(world.state(&id).await, State::Paused);
}

#[tokio::test]
async fn a_refused_create_frees_its_key_and_one_that_cannot_work_keeps_its_answer() {
    let (world, keys) = (World::new().await, keys());
    let Claim::Run(mut guard) = claim(&world.engine, &keys, Effect::Create).await.unwrap() else {
        panic!("nobody asked before");
    };
    let mut wanted = request(ephemeral(600));
    wanted.id = Some(SandboxId::new("mine").unwrap());
    let error = world.engine.create_once(&mut guard, wanted).await;
    let error = error.unwrap_err();
    assert_eq!(error.field(), Some("id"));
    assert_eq!(
        guard.fail(&error, answer("no")).await.unwrap(),
        Kept::Nothing
    );

    let broken = Fault::fail(Call::Create, When::Before, ErrorKind::Internal);
    world.daemon.faults().inject(broken);
    create(&world.engine, &keys).await.unwrap_err();
    let again = claim(&world.engine, &keys, Effect::Create).await.unwrap();
    assert!(matches!(again, Claim::Answered(found) if found == answer("error")));
}

#[tokio::test]
async fn a_create_whose_runtime_was_away_can_be_sent_again() {
    let (world, keys) = (World::new().await, keys());
    let away = Fault::fail(Call::Create, When::Before, ErrorKind::Unavailable).nth(1);
    world.daemon.faults().inject(away);
    let error = create(&world.engine, &keys).await.unwrap_err();
    assert!(error.is_retryable());
    let id = create(&world.engine, &keys).await.unwrap();
    assert_eq!(world.daemon.sandboxes().len(), 1);
    assert_eq!(
        world.state(&SandboxId::new(id).unwrap()).await,
        State::Running
    );
}

#[tokio::test]
async fn what_must_not_run_twice_is_refused_when_it_was_interrupted() {
    let (world, keys) = (World::new().await, keys());
    let Claim::Run(guard) = claim(&world.engine, &keys, Effect::Once).await.unwrap() else {
        panic!("nobody asked before");
    };
    drop(guard);
    for _ in 0..2 {
        let error = claim(&world.engine, &keys, Effect::Once).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.field(), Some("idempotency_key"));
        assert!(error.message().contains("may have run"), "{error}");
    }
}

#[tokio::test]
async fn what_can_be_done_again_is_done_again() {
    let (world, keys) = (World::new().await, keys());
    for resumed in [false, true, true] {
        let Claim::Run(guard) = claim(&world.engine, &keys, Effect::Repeatable)
            .await
            .unwrap()
        else {
            panic!("it has no answer");
        };
        assert_eq!(guard.is_resumed(), resumed);
    }
}

#[tokio::test]
async fn a_failed_command_keeps_its_answer_unless_that_says_to_try_again() {
    let world = World::new().await;
    for (kind, kept) in [
        (ErrorKind::NotFound, Kept::Nothing),
        (ErrorKind::Timeout, Kept::Whole),
        (ErrorKind::Unavailable, Kept::Interrupted),
    ] {
        let keys = keys();
        let Claim::Run(guard) = claim(&world.engine, &keys, Effect::Once).await.unwrap() else {
            panic!("nobody asked before");
        };
        let error = Error::new(kind, "test", "no");
        assert_eq!(guard.fail(&error, answer("no")).await.unwrap(), kept);
    }
}

/// An id that somebody else has under a claim of one's own is nobody's to take.
#[tokio::test]
async fn a_claim_never_adopts_the_sandbox_of_another_owner() {
    let (world, keys) = (World::new().await, keys());
    interrupted(&world, &keys).await;
    let Claim::Run(mut guard) = claim(&world.engine, &keys, Effect::Create).await.unwrap() else {
        panic!("it has no answer");
    };
    let thief = request(ephemeral(600)).owner(OwnerId::new("thief").unwrap());
    let error = world.engine.create_once(&mut guard, thief).await;
    assert_eq!(error.unwrap_err().field(), Some("id"));
}

#[tokio::test]
async fn a_key_is_remembered_for_its_retention_and_then_makes_another_sandbox() {
    let (world, keys) = (World::new().await, keys());
    let first = create(&world.engine, &keys).await.unwrap();
    world.clock.advance(secs(24 * 3600));
    keys.expire(world.clock.now()).await.unwrap();
    let second = create(&world.engine, &keys).await.unwrap();
    assert_ne!(first, second);
}
