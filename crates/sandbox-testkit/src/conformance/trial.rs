//! One case's hold on the runtime: whatever it makes is destroyed, however it ends.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_core::{
    Capabilities, Command, ErrorKind, ExecOutput, Result, Runtime, Sandbox, SandboxExt, SandboxId,
    SandboxPath, SandboxSpec, SandboxSpecBuilder, SnapshotId,
};

use super::{Harness, NetworkLab};
use crate::lock::Locked;

/// What a case works with.
pub(super) struct Trial {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) runtime: Arc<dyn Runtime>,
    sandboxes: Mutex<Vec<Arc<dyn Sandbox>>>,
    snapshots: Mutex<Vec<SnapshotId>>,
}

impl Trial {
    pub(super) async fn new(harness: Arc<dyn Harness>) -> Self {
        let runtime = harness.runtime().await;
        Self {
            harness,
            runtime,
            sandboxes: Mutex::default(),
            snapshots: Mutex::default(),
        }
    }

    pub(super) fn can(&self) -> &Capabilities {
        self.runtime.capabilities()
    }

    pub(super) fn patience(&self) -> Duration {
        self.harness.patience()
    }

    /// A path in the scratch directory.
    pub(super) fn path(&self, name: &str) -> SandboxPath {
        let path = self.harness.scratch().join(name);
        path.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A spec with an id of its own.
    pub(super) fn spec(&self) -> SandboxSpecBuilder {
        SandboxSpec::builder(new_id(), self.harness.source())
    }

    /// Builds a spec as the harness wants it.
    pub(super) fn build(&self, spec: SandboxSpecBuilder) -> SandboxSpec {
        let spec = self.harness.spec(spec).build();
        spec.unwrap_or_else(|error| panic!("the harness spoils the spec: {error}"))
    }

    /// Makes a sandbox that is destroyed with the case.
    pub(super) async fn create(&self, spec: SandboxSpecBuilder) -> Result<Arc<dyn Sandbox>> {
        let sandbox = self.runtime.create(&self.build(spec)).await?;
        self.keep(&sandbox);
        Ok(sandbox)
    }

    /// Makes a plain sandbox.
    pub(super) async fn sandbox(&self) -> Result<Arc<dyn Sandbox>> {
        self.create(self.spec()).await
    }

    /// Has a sandbox destroyed with the case.
    pub(super) fn keep(&self, sandbox: &Arc<dyn Sandbox>) {
        self.sandboxes.locked().push(Arc::clone(sandbox));
    }

    pub(super) async fn snapshot(&self, sandbox: &Arc<dyn Sandbox>) -> Result<SnapshotId> {
        let snapshot = sandbox.snapshot().await?;
        self.snapshots.locked().push(snapshot.clone());
        Ok(snapshot)
    }

    pub(super) async fn lab(&self) -> Box<dyn NetworkLab> {
        self.harness.network().await.unwrap_or_else(|| {
            panic!("the runtime reports egress policies, but its harness has no network lab")
        })
    }

    /// Waits for something that should come soon.
    pub(super) async fn soon<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let patience = self.patience();
        match tokio::time::timeout(patience, work).await {
            Ok(done) => done,
            Err(_) => panic!("{what}: nothing after {patience:?}"),
        }
    }

    /// Asks again and again until the answer is yes.
    pub(super) async fn until(
        &self,
        what: &str,
        mut holds: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        let asking = async {
            while !holds().await? {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        self.soon(what, asking).await
    }

    /// Runs a command to its end.
    pub(super) async fn exec(
        &self,
        sandbox: &Arc<dyn Sandbox>,
        command: Command,
    ) -> Result<ExecOutput> {
        let what = format!("{:?}", command.program);
        self.soon(&what, sandbox.exec(command)).await
    }

    /// Runs a line of shell to its end.
    pub(super) async fn sh(&self, sandbox: &Arc<dyn Sandbox>, line: &str) -> Result<ExecOutput> {
        self.exec(sandbox, Command::shell(line)).await
    }

    /// What a line of shell prints; it must succeed and complain about nothing.
    pub(super) async fn out(&self, sandbox: &Arc<dyn Sandbox>, line: &str) -> Result<String> {
        let output = self.sh(sandbox, line).await?;
        let complaint = output.stderr_lossy();
        assert!(
            output.status.success(),
            "{line}: {:?}: {complaint}",
            output.status
        );
        Ok(output.stdout_lossy())
    }

    /// How long a file is now; nothing where there is none.
    pub(super) async fn size(&self, sandbox: &Arc<dyn Sandbox>, at: &SandboxPath) -> Result<u64> {
        match sandbox.stat(at).await {
            Ok(info) => Ok(info.size),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Waits until a file no longer grows: fails when it never stops.
    pub(super) async fn until_still(
        &self,
        sandbox: &Arc<dyn Sandbox>,
        at: &SandboxPath,
    ) -> Result<()> {
        self.until("nothing writes any more", async || {
            let before = self.size(sandbox, at).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(self.size(sandbox, at).await? == before)
        })
        .await
    }

    /// Waits until a file is longer than `size`.
    pub(super) async fn until_longer(
        &self,
        sandbox: &Arc<dyn Sandbox>,
        at: &SandboxPath,
        size: u64,
    ) -> Result<()> {
        self.until("the file grows", async || {
            Ok(self.size(sandbox, at).await? > size)
        })
        .await
    }

    /// The ids of everything that exists now.
    pub(super) async fn existing(&self) -> Result<Vec<SandboxId>> {
        let found = self.runtime.recover().await?;
        Ok(found.into_iter().map(|one| one.id).collect())
    }

    /// Destroys what the case made, and says what could not be destroyed.
    pub(super) async fn clean_up(&self) -> Result<()> {
        let sandboxes = std::mem::take(&mut *self.sandboxes.locked());
        let snapshots = std::mem::take(&mut *self.snapshots.locked());
        let mut outcome = Ok(());
        for sandbox in &sandboxes {
            let destroyed = self.soon("destroy", sandbox.destroy()).await;
            outcome = outcome.and(destroyed);
        }
        for snapshot in &snapshots {
            let removed = self.runtime.remove_snapshot(snapshot).await;
            outcome = outcome.and(removed);
        }
        outcome?;
        let left = self.existing().await?;
        for sandbox in &sandboxes {
            assert!(
                !left.contains(sandbox.id()),
                "{} is still there",
                sandbox.id()
            );
        }
        Ok(())
    }
}

/// An id nobody has.
pub(super) fn new_id() -> SandboxId {
    let mut random = [0; 16];
    for half in random.chunks_mut(8) {
        // Every `RandomState` hashes with a random key.
        half.copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
    }
    SandboxId::from_random(random)
}

/// Asserts that something was refused, and as what.
#[track_caller]
pub(super) fn refused<T>(outcome: Result<T>, kind: ErrorKind, field: Option<&str>) {
    match outcome {
        Ok(_) => panic!("went through; expected {kind} about {field:?}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            if field.is_some() {
                assert_eq!(error.field(), field, "{error}");
            }
        }
    }
}

/// A beat every tenth of a second in the file `at`.
pub(super) fn beat(at: &SandboxPath) -> String {
    format!("while :; do echo x >> {at}; sleep 0.1; done")
}

/// An address as `nc` takes it, with a port.
pub(super) fn socket(address: impl Into<IpAddr>, port: u16) -> std::net::SocketAddr {
    (address.into(), port).into()
}
