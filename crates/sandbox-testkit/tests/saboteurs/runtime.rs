//! A runtime with one defect.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxStream, Capabilities, ErrorKind, Health, Progress, Recovered, Resources, Result, Runtime,
    RuntimeEvent, Sandbox, SandboxSpec, SnapshotId, Source,
};
use sandbox_testkit::{FakeHost, FakeRuntime, FakeService};

use super::Sabotage;
use super::sandbox::BentSandbox;

#[derive(Debug)]
pub(super) struct Bent {
    how: Sabotage,
    inner: FakeRuntime,
    capabilities: Capabilities,
    shared: Mutex<Option<Arc<dyn Sandbox>>>,
    late: LateSnapshots,
}

impl Bent {
    pub(super) fn new(how: Sabotage, inner: FakeRuntime) -> Self {
        let mut capabilities = inner.capabilities().clone();
        if how == Sabotage::TakesHiddenTerminals {
            capabilities.pty = false;
        }
        if how == Sabotage::LeavesHostOpen {
            open_the_host(&inner);
        }
        Self {
            how,
            inner,
            capabilities,
            shared: Mutex::default(),
            late: Arc::default(),
        }
    }

    /// What the inner runtime is told, which is not what was asked for.
    fn bend(&self, spec: &SandboxSpec) -> Result<SandboxSpec> {
        let builder = spec.to_builder();
        let fresh = || {
            SandboxSpec::builder(spec.id().clone(), spec.source().clone())
                .resources(spec.resources().clone())
                .egress(spec.egress().clone())
        };
        match self.how {
            Sabotage::LeavesAllEgressOpen => builder.egress(EgressRules::allow_all()),
            Sabotage::ForgetsLimits => builder.resources(Resources {
                milli_cpus: 4000,
                memory: 8 << 30,
                pids: 4096,
                ..Resources::default()
            }),
            Sabotage::ForgetsVariables => fresh(),
            Sabotage::IgnoresRuntimeClasses if spec.runtime_class().is_some() => fresh(),
            _ => builder,
        }
        .build()
    }

    fn wrap(&self, inner: Arc<dyn Sandbox>, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        let mut spec = spec.clone();
        if self.how == Sabotage::ForgetsMetadata {
            let builder = SandboxSpec::builder(spec.id().clone(), spec.source().clone());
            spec = builder.build()?;
        }
        Ok(Arc::new(BentSandbox::new(
            self.how,
            inner,
            spec,
            Arc::clone(&self.late),
        )))
    }
}

/// A server where anybody may go, which stands for a forbidden one that is reached after all.
pub(super) const OPEN_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);

/// The sandbox a snapshot was last taken of.
pub(super) type LateSnapshots = Arc<Mutex<Option<Arc<dyn Sandbox>>>>;

fn open_the_host(runtime: &FakeRuntime) {
    let greeting = FakeService::Greet(sandbox_testkit::conformance::LAB_GREETING.into());
    let host = FakeHost {
        tcp: [(80, greeting)].into(),
        ..FakeHost::default()
    };
    runtime
        .daemon()
        .network()
        .add_host(OPEN_SERVER.into(), host);
}

#[async_trait]
impl Runtime for Bent {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        let shared = self.shared.lock().unwrap().clone();
        if let Some(shared) = shared {
            return self.wrap(shared, spec);
        }
        let mut bent = self.bend(spec)?;
        let late = self.late.lock().unwrap().clone();
        if let Some(late) = late
            && self.how == Sabotage::SnapshotsLate
        {
            let now = Source::Snapshot(late.snapshot().await?);
            bent = bent.to_builder().source(now).build()?;
        }
        let inner = match self.inner.create(&bent).await {
            Err(error)
                if self.how == Sabotage::GivesAnIdTwice && error.kind() == ErrorKind::Conflict =>
            {
                let found = self.inner.recover().await?;
                let one = found.into_iter().find(|one| one.id == *spec.id());
                one.ok_or(error)?.sandbox
            }
            made => made?,
        };
        if self.how == Sabotage::SharesFiles {
            *self.shared.lock().unwrap() = Some(Arc::clone(&inner));
        }
        self.wrap(inner, spec)
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.inner.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        let mut found = self.inner.recover().await?;
        if self.how == Sabotage::FindsNothing {
            found.clear();
        }
        Ok(found)
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.inner.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.inner.events()
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}
