//! The runtime.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use sandbox_api_types::{CreateSandbox, Health, Prepare, PrepareEvent};
use sandbox_core::{
    BoxStream, Capabilities, Error, ErrorKind, Guarded, Progress, Recovered, Result, Runtime,
    RuntimeEvent, RuntimeName, Sandbox, SandboxId, SandboxSpec, SnapshotId, Source,
};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::{of_snapshot, of_source};
use super::events::{heard, listen};
use super::gate::Ending;
use super::note;
use super::sandbox::RemoteSandbox;
use crate::types;
use crate::{Client, RemoteConfig};

/// The sandboxes of a server, as a [`Runtime`].
///
/// - **The caller owns the lives.** Sandboxes are made with the longest life that the server has:
///   persistent, and suspended only after 24 hours without any use, whatever the spec's lifecycle
///   says. Who drives lifecycles (an engine over this runtime) sees them through; who does not has
///   to [`destroy`](Sandbox::destroy) what it made. A sandbox that was suspended for want of use
///   refuses work with `Conflict` until it is [resumed](Sandbox::resume).
/// - **Its own sandboxes, no others.** What a remote runtime makes has an entry
///   [`REMOTE_METADATA`](crate::REMOTE_METADATA) in its metadata, in which what the server has no
///   place for is kept, and [`recover`](Runtime::recover) finds those alone: a program that destroys
///   what it does not know leaves the sandboxes of the API's other users alone. Programs that share
///   an organisation, and each destroy what they do not know, share too much.
/// - **An id is used once**, also after its sandbox was destroyed, for as long as the server keeps
///   it.
/// - The server's limits hold on top of the runtime's: files of at most 100 MB a write, so many
///   processes a sandbox, the organisation's quotas.
#[derive(Clone)]
pub struct RemoteRuntime {
    pub(super) client: Client,
    pub(super) name: RuntimeName,
    capabilities: Capabilities,
    config: RemoteConfig,
    ending: Ending,
    told: broadcast::Sender<RuntimeEvent>,
    _listening: Arc<DropGuard>,
}

impl fmt::Debug for RemoteRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRuntime")
            .field("client", &self.client)
            .field("runtime", &self.name)
            .finish_non_exhaustive()
    }
}

impl RemoteRuntime {
    /// Asks the server what it can do, and begins to listen to what happens on it.
    ///
    /// # Errors
    /// `NotFound` with field `runtime` when the server has no such runtime, or no default one;
    /// what a call may fail with.
    pub async fn connect(client: Client, config: RemoteConfig) -> Result<Arc<dyn Runtime>> {
        let runtime = found(&client, config.runtime.as_ref()).await?;
        let ending = Ending::default();
        let stop = CancellationToken::new();
        let listening = stop.clone().drop_guard();
        let told = listen(client.clone(), ending.clone(), stop).await?;
        let mut capabilities: Capabilities = runtime.capabilities.into();
        // The server holds its sandboxes: they outlive this program, if not always the server.
        capabilities.recover = true;
        Ok(Arc::new(Guarded::new(Arc::new(Self {
            client,
            name: runtime.name,
            capabilities,
            config,
            ending,
            told,
            _listening: Arc::new(listening),
        }))))
    }

    pub(super) fn sandbox(&self, spec: SandboxSpec) -> RemoteSandbox {
        let calls = self.client.sandbox(spec.id().clone());
        let patience = self.config.reconnect_patience;
        RemoteSandbox::new(calls, spec, self.ending.clone(), patience)
    }

    /// Removes what the server keeps of a sandbox that could not be made: it is there to be looked
    /// at, and nobody will. One that is anything else is not the one that failed.
    async fn forget(&self, id: &SandboxId) {
        let calls = self.client.sandbox(id.clone());
        let Ok(sandbox) = calls.get().await else {
            return;
        };
        let ended = |code: &str| matches!(code, "exited" | "out_of_memory" | "broken" | "missing");
        let never_made = sandbox
            .failure
            .as_ref()
            .is_some_and(|why| !ended(&why.code));
        if never_made && note::is_ours(&sandbox) {
            self.ending.begin(id);
            if let Err(error) = calls.destroy().await {
                self.ending.forget(id);
                tracing::debug!(%error, sandbox = %id, "what is left of it stays");
            }
        }
    }
}

/// The runtime of this name, or the default one.
async fn found(client: &Client, name: Option<&RuntimeName>) -> Result<types::Runtime> {
    let mut runtimes = client.list_runtimes().await?.into_iter();
    let wanted = runtimes.find(|runtime| match name {
        Some(name) => runtime.name == *name,
        None => runtime.default,
    });
    wanted.ok_or_else(|| {
        let message = match name {
            Some(name) => format!("the server has no runtime {name}"),
            None => "the server has no default runtime: name one".to_owned(),
        };
        Error::new(ErrorKind::NotFound, "remote.connect", message).with_field("runtime")
    })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for RemoteRuntime {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        let base = CreateSandbox::from_spec(spec, Some(self.name.clone()));
        let request = note::request(spec, base)?;
        match self.client.create_sandbox(&request).await {
            Ok(_) => Ok(Arc::new(self.sandbox(spec.clone()))),
            Err(error) => {
                self.forget(spec.id()).await;
                Err(of_source(error))
            }
        }
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        let request = Prepare::from_core(source.clone(), Some(self.name.clone()));
        let events = self.client.prepare(&request).await.map_err(of_source)?;
        let progress = events.filter_map(|event| async {
            match event {
                Ok(PrepareEvent::Progress(progress)) => Some(Ok(progress.into())),
                Ok(PrepareEvent::Done(_)) => None,
                Ok(PrepareEvent::Error(body)) => {
                    Some(Err(of_source(body.error.into_error("remote.prepare"))))
                }
                Err(error) => Some(Err(error)),
            }
        });
        Ok(Box::pin(progress))
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.find().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        let removed = self.client.remove_snapshot(snapshot).await;
        removed.map_err(of_snapshot)
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        Box::pin(heard(&self.told))
    }

    async fn health(&self) -> Result<sandbox_core::Health> {
        let runtime = found(&self.client, Some(&self.name)).await?;
        let unavailable = |message: String| {
            let hint = format!("{message}: ask the server's operator");
            Err(Error::new(ErrorKind::Unavailable, "remote.health", hint))
        };
        match runtime.health {
            Health::Ok => Ok(sandbox_core::Health {
                version: format!("runtime {} of a remote server", self.name),
                notes: Vec::new(),
            }),
            Health::Failing => unavailable(format!("the runtime {} fails", self.name)),
            Health::Unanswered => unavailable(format!("the runtime {} does not answer", self.name)),
        }
    }
}
