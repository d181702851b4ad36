//! The compute seconds of an organisation: counted to the moment, and enforced when they are used
//! up.

use std::sync::Arc;

use sandbox_core::lifecycle::{LifecyclePolicy, State};
use sandbox_core::{Command, ErrorKind, SandboxExt, SandboxId};
use sandbox_engine::events::{EventFilter, EventItem, EventKind};
use sandbox_engine::owners::{MemoryOwners, Month, Organisation, Owners, QuotaAdmission, Quotas};
use sandbox_engine::store::MemoryStore;
use sandbox_engine::{Engine, OwnerId};
use sandbox_testkit::{Call, FakeDaemon, Fault, ManualClock, When, everything};

use crate::support::{TestClock, builder, ephemeral, persistent, request, secs};

struct Tenant {
    clock: ManualClock,
    daemon: FakeDaemon,
    store: MemoryStore,
    owners: Arc<Owners>,
    organisation: Organisation,
    engine: Engine,
}

fn allowing(seconds: u64) -> Quotas {
    Quotas {
        compute_seconds_per_month: Some(seconds),
        ..Quotas::default()
    }
}

async fn engine(
    clock: &ManualClock,
    daemon: &FakeDaemon,
    store: &MemoryStore,
    owners: &Arc<Owners>,
) -> Engine {
    let admission = QuotaAdmission::new(Arc::clone(owners), Arc::new(TestClock(clock.clone())));
    let built = builder(clock, daemon, store).admission(admission).build();
    built.await.unwrap()
}

impl Tenant {
    async fn new(seconds: u64) -> Self {
        let clock = ManualClock::new();
        let daemon = FakeDaemon::with_clock(clock.clone());
        Self::on(clock, daemon, seconds).await
    }

    async fn on(clock: ManualClock, daemon: FakeDaemon, seconds: u64) -> Self {
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let made = owners.create_organisation("acme", allowing(seconds), clock.now());
        let organisation = made.await.unwrap();
        let store = MemoryStore::new();
        let engine = engine(&clock, &daemon, &store, &owners).await;
        Self {
            clock,
            daemon,
            store,
            owners,
            organisation,
            engine,
        }
    }

    fn owner(&self) -> OwnerId {
        OwnerId::from(&self.organisation.id)
    }

    async fn create(&self, policy: LifecyclePolicy) -> sandbox_core::Result<SandboxId> {
        let request = request(policy).owner(self.owner());
        self.engine
            .create(request)
            .await
            .map(|one| one.id().clone())
    }

    async fn reaches(&self, id: &SandboxId, state: State) {
        for _ in 0..100_000 {
            if self.engine.get(id).await.unwrap().state() == state {
                return;
            }
            tokio::task::yield_now().await;
        }
        let is = self.engine.get(id).await.unwrap().state();
        panic!("it is {is} and not {state}");
    }

    async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    async fn used(&self) -> u64 {
        let month = Month::of(self.clock.now());
        let usage = self.engine.usage(&self.owner(), month).await.unwrap();
        usage.seconds
    }

    async fn allow(&mut self, seconds: u64) {
        self.organisation.quotas = allowing(seconds);
        let updated = self.owners.update_organisation(&self.organisation);
        updated.await.unwrap();
    }
}

#[tokio::test]
async fn time_that_is_not_written_down_counts_and_what_runs_is_paused_when_it_is_used_up() {
    let tenant = Tenant::new(100).await;
    let first = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(60));
    // From here on two run, and forty seconds are left.
    let second = tenant.create(persistent(3600)).await.unwrap();
    tenant.clock.advance(secs(19));
    tenant.settle().await;
    for id in [&first, &second] {
        assert_eq!(tenant.engine.get(id).await.unwrap().state(), State::Running);
    }
    tenant.clock.advance(secs(1));
    tenant.reaches(&first, State::Paused).await;
    tenant.reaches(&second, State::Paused).await;
    assert_eq!(tenant.used().await, 100);

    let refused = tenant.create(ephemeral(60)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    assert_eq!(refused.field(), Some("quotas.compute_seconds_per_month"));
    tenant.clock.advance(secs(1000));
    assert_eq!(tenant.used().await, 100);
}

#[tokio::test]
async fn nothing_runs_again_before_the_allowance_is_raised_or_the_month_ends() {
    let mut tenant = Tenant::new(10).await;
    let policy = persistent(3600).with_auto_wake(true);
    let id = tenant.create(policy).await.unwrap();
    tenant.clock.advance(secs(10));
    tenant.reaches(&id, State::Paused).await;
    let refused = tenant.engine.resume(&id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    let sandbox = tenant.engine.sandbox(&id).unwrap();
    let refused = sandbox.exec(Command::shell("true")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    assert_eq!(tenant.daemon.faults().count(Call::Resume), 0);

    tenant.allow(15).await;
    tenant.settle().await;
    tenant.engine.resume(&id).await.unwrap();
    tenant.clock.advance(secs(5));
    tenant.reaches(&id, State::Paused).await;
    let month = Month::of(tenant.clock.now());
    tenant.clock.set(month.end());
    sandbox.exec(Command::shell("true")).await.unwrap();
    assert_eq!(tenant.used().await, 0);
    tenant.clock.advance(secs(15));
    tenant.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn an_allowance_that_is_lowered_below_what_is_used_stops_what_runs_at_once() {
    let mut tenant = Tenant::new(1_000).await;
    let id = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(20));
    tenant.settle().await;
    tenant.allow(20).await;
    tenant.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn what_cannot_be_paused_is_destroyed_and_its_owner_is_told_why() {
    let mut can = everything();
    can.pause = false;
    let clock = ManualClock::new();
    let daemon = FakeDaemon::with_clock_and_capabilities(clock.clone(), can);
    let tenant = Tenant::on(clock, daemon, 5).await;
    let mut events = tenant.engine.events(EventFilter::default());
    let id = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(5));
    tenant.reaches(&id, State::Destroyed).await;
    let mut told = false;
    while let Some(Ok(EventItem::Event(event))) = events.next().await {
        match event.event.kind {
            EventKind::LimitExceeded { field, .. } => {
                told = field == "quotas.compute_seconds_per_month";
            }
            EventKind::Destroyed => break,
            _ => {}
        }
    }
    assert!(told);
}

#[tokio::test]
async fn others_are_left_alone() {
    let tenant = Tenant::new(5).await;
    let made = tenant
        .owners
        .create_organisation("rich", Quotas::default(), tenant.clock.now());
    let rich = OwnerId::from(&made.await.unwrap().id);
    let theirs = tenant.engine.create(request(ephemeral(3600)).owner(rich));
    let theirs = theirs.await.unwrap().id().clone();
    let mine = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(5));
    tenant.reaches(&mine, State::Paused).await;
    tenant.settle().await;
    let record = tenant.engine.get(&theirs).await.unwrap();
    assert_eq!(record.state(), State::Running);
}

#[tokio::test]
async fn what_ran_before_a_restart_counts_after_it() {
    let tenant = Tenant::new(100).await;
    let gone = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(30));
    tenant.engine.destroy(&gone).await.unwrap();
    let id = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.clock.advance(secs(30));
    tenant.engine.shutdown().await;
    tenant.clock.advance(secs(30));
    let next = engine(&tenant.clock, &tenant.daemon, &tenant.store, &tenant.owners).await;
    let tenant = Tenant {
        engine: next,
        ..tenant
    };
    tenant.settle().await;
    let record = tenant.engine.get(&id).await.unwrap();
    assert_eq!(record.state(), State::Running);
    assert_eq!(tenant.used().await, 90);
    tenant.clock.advance(secs(10));
    tenant.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn an_allowance_that_was_used_up_while_the_engine_was_down_is_enforced_at_once() {
    let tenant = Tenant::new(10).await;
    let id = tenant.create(ephemeral(3600)).await.unwrap();
    tenant.engine.shutdown().await;
    tenant.clock.advance(secs(60));
    let next = engine(&tenant.clock, &tenant.daemon, &tenant.store, &tenant.owners).await;
    let tenant = Tenant {
        engine: next,
        ..tenant
    };
    tenant.reaches(&id, State::Paused).await;
}

#[tokio::test]
async fn one_that_does_not_stop_is_told_again_but_not_without_pause() {
    let tenant = Tenant::new(10).await;
    let id = tenant.create(ephemeral(36_000)).await.unwrap();
    let failing = Fault::fail(Call::Pause, When::Before, ErrorKind::Internal).always();
    tenant.daemon.faults().inject(failing);
    tenant.clock.advance(secs(10));
    tenant.settle().await;
    let tries = tenant.daemon.faults().count(Call::Pause);
    assert!((1..=2).contains(&tries), "{tries} tries in no time");
    tenant.daemon.faults().clear();
    for _ in 0..60 {
        tenant.clock.advance(secs(1));
        tenant.settle().await;
    }
    tenant.reaches(&id, State::Paused).await;
}

/// A sandbox that is being made when the allowance ends does not slip through.
#[tokio::test]
async fn one_that_comes_to_run_too_late_is_stopped_too() {
    let tenant = Tenant::new(10).await;
    let first = tenant.create(ephemeral(3600)).await.unwrap();
    let faults = tenant.daemon.faults().clone();
    faults.inject(Fault::hang(Call::Create, When::After));
    let late = request(ephemeral(3600)).owner(tenant.owner());
    let late = tenant.engine.create_detached(late).await.unwrap();
    faults.wait_for_hanging(1).await;
    tenant.clock.advance(secs(10));
    tenant.reaches(&first, State::Paused).await;
    faults.release();
    tenant.settle().await;
    tenant.clock.advance(secs(1));
    tenant.reaches(late.id(), State::Paused).await;
}
