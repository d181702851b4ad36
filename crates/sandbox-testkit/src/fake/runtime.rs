//! A client of a fake daemon.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::stream;
use sandbox_core::{
    BoxStream, Capabilities, Error, ErrorKind, Guarded, Health, Progress, Recovered, Result,
    Runtime, RuntimeEvent, Sandbox, SandboxId, SandboxSpec, SnapshotId, Source,
};

use super::daemon::{FakeDaemon, Shared};
use super::faults::{Call, When};
use super::sandbox::FakeSandbox;
use super::script::ScriptContext;

/// A [`Runtime`] in memory, behind the same guard as every other.
///
/// ```
/// use sandbox_core::{Command, Runtime, SandboxExt, SandboxId, SandboxSpec, Source};
/// use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> sandbox_core::Result<()> {
/// let runtime = FakeRuntime::new();
/// let id = SandboxId::from_random([1; 16]);
/// let spec = SandboxSpec::builder(id, Source::Image(FAKE_IMAGE.into())).build()?;
/// let sandbox = runtime.create(&spec).await?;
/// let output = sandbox.exec(Command::shell("echo hi | wc -c")).await?;
/// assert_eq!(output.stdout_lossy().trim(), "3");
/// sandbox.destroy().await?;
/// assert!(runtime.daemon().sandboxes().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FakeRuntime {
    client: Client,
    guarded: Guarded,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeRuntime {
    /// A client of a daemon of its own; see [`FakeDaemon::new`].
    pub fn new() -> Self {
        FakeDaemon::new().connect()
    }

    pub(crate) fn of(daemon: FakeDaemon) -> Self {
        let client = Client {
            number: daemon.shared.next_client(),
            daemon,
            disconnected: Arc::new(AtomicBool::new(false)),
        };
        let inner = Arc::new(Inner {
            client: client.clone(),
        });
        Self {
            client,
            guarded: Guarded::new(inner),
        }
    }

    /// The daemon behind it.
    pub fn daemon(&self) -> &FakeDaemon {
        &self.client.daemon
    }

    /// Registers a program; see [`FakeDaemon::script`].
    pub fn script<F, W>(&self, name: &str, program: F)
    where
        F: Fn(ScriptContext) -> W + Send + Sync + 'static,
        W: Future<Output = u8> + Send + 'static,
    {
        self.daemon().script(name, program);
    }

    /// A new client of the same daemon, as after a restart of the program that used this one.
    pub fn reopen(&self) -> Self {
        self.daemon().connect()
    }

    /// Cuts this client off, with every sandbox it handed out: from now on its calls fail with
    /// `Unavailable` and change nothing, those included that are on their way. It stands for the
    /// death of the program, whose last tasks a test cannot stop.
    pub fn disconnect(&self) {
        self.client.disconnected.store(true, Ordering::SeqCst);
        self.daemon().faults().release();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for FakeRuntime {
    fn capabilities(&self) -> &Capabilities {
        self.guarded.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        self.guarded.create(spec).await
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.guarded.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.guarded.recover().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.guarded.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.guarded.events()
    }

    async fn health(&self) -> Result<Health> {
        self.guarded.health().await
    }
}

/// One client's way to the daemon, where faults strike and calls are noted.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    number: u64,
    daemon: FakeDaemon,
    disconnected: Arc<AtomicBool>,
}

impl Client {
    pub(crate) fn shared(&self) -> &Shared {
        &self.daemon.shared
    }

    fn reaches(&self, operation: &'static str) -> Result<()> {
        if self.disconnected.load(Ordering::SeqCst) {
            let message = "this client was disconnected; use another";
            return Err(Error::new(ErrorKind::Unavailable, operation, message));
        }
        self.shared().answers(operation)
    }

    /// Makes one call: faults before, the effect, faults after.
    pub(crate) async fn call<T>(
        &self,
        call: Call,
        sandbox: Option<&SandboxId>,
        effect: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let time = &self.shared().world.time;
        let ticket = self.daemon.faults().enter(call, sandbox, time.now());
        let outcome = async {
            self.reaches(call.as_str())?;
            ticket.strike(When::Before, time).await?;
            // A call that hung reaches nothing once its client is gone.
            self.reaches(call.as_str())?;
            let answer = effect.await?;
            ticket.strike(When::After, time).await?;
            self.reaches(call.as_str())?;
            Ok(answer)
        }
        .await;
        ticket.note(&outcome);
        outcome
    }
}

#[derive(Debug)]
struct Inner {
    client: Client,
}

#[async_trait]
impl Runtime for Inner {
    fn capabilities(&self) -> &Capabilities {
        &self.client.shared().capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        let made = async {
            self.client.shared().create(self.client.number, spec)?;
            let sandbox = FakeSandbox::new(self.client.clone(), spec.clone());
            Ok(Arc::new(sandbox) as Arc<dyn Sandbox>)
        };
        self.client.call(Call::Create, Some(spec.id()), made).await
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        let ready = async {
            self.client.shared().tree(source)?;
            let done = Progress {
                message: "ready".to_owned(),
                current: 0,
                total: Some(0),
            };
            Ok(Box::pin(stream::iter([Ok(done)])) as BoxStream<_>)
        };
        self.client.call(Call::Prepare, None, ready).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        let found = async {
            let existing = self.client.shared().existing(self.client.number);
            let recovered = existing.into_iter().map(|(spec, state)| Recovered {
                id: spec.id().clone(),
                state,
                sandbox: Arc::new(FakeSandbox::new(self.client.clone(), spec)),
            });
            Ok(recovered.collect())
        };
        self.client.call(Call::Recover, None, found).await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        let removed = async { self.client.shared().remove_snapshot(snapshot) };
        self.client.call(Call::RemoveSnapshot, None, removed).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.client.shared().world.events()
    }

    async fn health(&self) -> Result<Health> {
        let healthy = async {
            Ok(Health {
                version: format!("fake {}", env!("CARGO_PKG_VERSION")),
                notes: Vec::new(),
            })
        };
        self.client.call(Call::Health, None, healthy).await
    }
}
