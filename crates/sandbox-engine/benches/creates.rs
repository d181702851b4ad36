//! How many sandboxes a second an engine makes over the runtime in memory: with nobody asked, with
//! quotas, and with quotas that are read from the store every time, which is what the cache of
//! quotas and the meter in memory save.
//!
//! `cargo bench -p sandbox-engine --bench creates`. The three take turns, so that what else the
//! machine does falls on all of them.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use sandbox_core::lifecycle::{Ephemeral, LifecyclePolicy};
use sandbox_core::{Result, SandboxId, SandboxSpec, Source};
use sandbox_engine::owners::{
    MemoryOwners, Month, MonthUsage, OrganisationId, Owners, OwnersStore, QuotaAdmission, Quotas,
};
use sandbox_engine::store::{MemoryStore, Store};
use sandbox_engine::{Admission, Clock, CreateRequest, Engine, OwnerId, SystemClock};
use sandbox_testkit::{FAKE_IMAGE, FakeDaemon};

const ROUNDS: usize = 20;
const AT_ONCE: usize = 16;
const A_ROUND: usize = 512;

/// Reads everything from the store for every sandbox.
#[derive(Debug)]
struct AskingTheStore {
    quotas: QuotaAdmission,
    organisations: Arc<dyn OwnersStore>,
    store: Arc<dyn Store>,
}

#[async_trait]
impl Admission for AskingTheStore {
    async fn admit(&self, owner: &OwnerId, spec: &SandboxSpec) -> Result<()> {
        let id = OrganisationId::new(owner.as_str())?;
        let now = SystemClock.now();
        for _ in 0..2 {
            let found = self.organisations.organisation(&id).await?;
            let quotas = found.map(|one| one.quotas).unwrap_or_default();
            let rows = self.store.usage(owner, Month::of(now)).await?;
            let used = rows.iter().map(|row| row.millis.div_ceil(1000)).sum();
            MonthUsage::new(&quotas, used, now).check()?;
        }
        self.quotas.admit(owner, spec).await
    }

    fn restore(&self, owner: &OwnerId, spec: &SandboxSpec) {
        self.quotas.restore(owner, spec);
    }

    fn release(&self, owner: &OwnerId, id: &SandboxId) {
        self.quotas.release(owner, id);
    }
}

struct Side {
    name: &'static str,
    engine: Engine,
    owner: OwnerId,
    took: Duration,
}

impl Side {
    async fn new(name: &'static str) -> Self {
        let organisations: Arc<dyn OwnersStore> = Arc::new(MemoryOwners::default());
        let owners = Arc::new(Owners::new(Arc::clone(&organisations)));
        let quotas = Quotas {
            compute_seconds_per_month: Some(1 << 40),
            concurrent_sandboxes: Some(1 << 30),
            ..Quotas::default()
        };
        let now = SystemClock.now();
        let organisation = owners.create_organisation("bench", quotas, now).await;
        let owner = OwnerId::from(&organisation.expect("a name and quotas that fit").id);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let quotas = QuotaAdmission::new(owners, Arc::new(SystemClock));
        let builder = Engine::builder()
            .runtime("fake", Arc::new(FakeDaemon::new().connect()))
            .shared_store(Arc::clone(&store));
        let builder = match name {
            "nobody asked" => builder,
            "quotas" => builder.admission(quotas),
            _ => builder.admission(AskingTheStore {
                quotas,
                organisations,
                store,
            }),
        };
        let engine = builder.build().await.expect("an engine over the fake");
        Self {
            name,
            engine,
            owner,
            took: Duration::ZERO,
        }
    }

    async fn round(&mut self) {
        let began = Instant::now();
        let callers = (0..AT_ONCE).map(|_| {
            let (engine, owner) = (self.engine.clone(), self.owner.clone());
            tokio::spawn(async move {
                let mut made = Vec::new();
                for _ in 0..A_ROUND / AT_ONCE {
                    let source = Source::Image(FAKE_IMAGE.into());
                    let policy = LifecyclePolicy::new(Ephemeral::new(Duration::from_secs(600)));
                    let request = CreateRequest::from_source(source)
                        .owner(owner.clone())
                        .lifecycle(policy.expect("a policy that fits"));
                    made.push(engine.create(request).await.expect("it is made"));
                }
                made
            })
        });
        let made = join_all(callers).await;
        self.took += began.elapsed();
        // Not measured. What was destroyed stays in the month's usage.
        for record in made.into_iter().flat_map(|made| made.expect("no panic")) {
            let gone = self.engine.destroy(record.id()).await;
            gone.expect("it is destroyed");
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut sides = Vec::new();
        for name in ["nobody asked", "quotas", "quotas, asking the store"] {
            sides.push(Side::new(name).await);
        }
        for _ in 0..ROUNDS {
            for side in &mut sides {
                side.round().await;
            }
        }
        for side in &sides {
            let made = (ROUNDS * A_ROUND) as f64;
            println!(
                "{:26} {:8.0} creates/s",
                side.name,
                made / side.took.as_secs_f64()
            );
        }
    });
}
