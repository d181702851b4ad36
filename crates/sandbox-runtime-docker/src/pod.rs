//! A pod: the sandbox's container, and the holder its network belongs to.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::query_parameters::InspectContainerOptions;
use sandbox_core::egress::EgressRules;
use sandbox_core::{Error, ErrorKind, Result, SandboxId, SandboxSpec, SnapshotId, Stats};
use tokio::sync::{Mutex, watch};

use crate::agent::AgentChannel;
use crate::channel::Channel;
use crate::context::Context;
use crate::error::{docker, has_status};
use crate::exec::{ExecChannel, Session};
use crate::holder::Line;
use crate::policy;
use crate::remove;
use crate::shared::Shared;
use crate::snapshot;
use crate::stats;

/// What can be done with a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Paused,
    /// Its first process is gone, or it was never whole.
    Ended,
    Destroyed,
}

/// Everything a pod is made from.
#[derive(Debug)]
pub(crate) struct PodParts {
    pub(crate) spec: SandboxSpec,
    pub(crate) context: Context,
    /// Whether the agent is in it.
    pub(crate) agent: bool,
    /// Its containers' ids; what is missing was never made, or is gone.
    pub(crate) container: Option<String>,
    pub(crate) holder: Option<String>,
    pub(crate) state: State,
}

/// A pod, shared by every handle of its sandbox.
#[derive(Debug)]
pub(crate) struct Pod {
    shared: Arc<Shared>,
    spec: SandboxSpec,
    container: Option<String>,
    holder: Option<String>,
    channel: Arc<dyn Channel>,
    state: watch::Sender<State>,
    /// Pausing, resuming, snapshots and destroying, one at a time.
    changing: Mutex<()>,
    /// Whether somebody reports what its policy refuses.
    watched: AtomicBool,
}

impl Pod {
    pub(crate) fn new(shared: &Arc<Shared>, parts: PodParts) -> Self {
        let client = &shared.daemon.docker;
        let container = parts.container.clone().unwrap_or_default();
        let state = watch::Sender::new(parts.state);
        let channel: Arc<dyn Channel> = if parts.agent {
            Arc::new(AgentChannel::new(client.clone(), container, parts.context))
        } else {
            let session = Session::new(client.clone(), container);
            Arc::new(ExecChannel::new(session, parts.context))
        };
        Self {
            shared: Arc::clone(shared),
            spec: parts.spec,
            container: parts.container,
            holder: parts.holder,
            channel,
            state,
            changing: Mutex::new(()),
            watched: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    pub(crate) fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    pub(crate) fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    pub(crate) fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// Whether it has a network beyond its loopback.
    pub(crate) fn has_network(&self) -> bool {
        self.holder.is_some()
    }

    pub(crate) fn channel(&self) -> &Arc<dyn Channel> {
        &self.channel
    }

    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Takes note of a state the daemon reports. Nothing comes back from `Destroyed`.
    pub(crate) fn found(&self, state: State) {
        self.state.send_if_modified(|current| {
            let changes = *current != State::Destroyed && *current != state;
            if changes {
                *current = state;
            }
            changes
        });
    }

    /// Takes note of whether it is frozen, once nothing of ours is changing that. Its end is left to
    /// the events that tell it.
    pub(crate) async fn look_again(&self) {
        let _changing = self.changing.lock().await;
        match self.look().await {
            Ok(state @ (State::Running | State::Paused)) => self.found(state),
            Ok(State::Ended | State::Destroyed) => {}
            Err(error) => {
                tracing::debug!(id = %self.id(), %error, "cannot see whether it is frozen")
            }
        }
    }

    /// Whether the caller is the first to watch it.
    pub(crate) fn begin_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::Relaxed)
    }

    /// Waits until it has ended, or nobody uses it any more. Does not count as using it.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut state = self.state.subscribe();
        async move {
            let ended = |state: &State| matches!(state, State::Ended | State::Destroyed);
            // An error says that the pod is gone.
            let _ = state.wait_for(ended).await;
        }
    }

    /// Waits until what is inside answers.
    pub(crate) async fn first_contact(&self) -> Result<()> {
        self.channel.ready().await
    }

    /// Does `work` inside the sandbox; when the sandbox ends under it, says so.
    pub(crate) async fn inside<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.usable()?;
        let mut state = self.state.subscribe();
        let done = tokio::select! {
            biased;
            done = work => done,
            _ = state.wait_for(|state| matches!(state, State::Ended | State::Destroyed)) => {
                return Err(self.gone());
            }
        };
        match done {
            // The connection breaks before the daemon reports why.
            Err(error) if error.is_retryable() && self.has_ended().await => Err(self.gone()),
            done => done,
        }
    }

    fn usable(&self) -> Result<()> {
        match self.state() {
            State::Running => Ok(()),
            State::Paused => Err(Error::new(
                ErrorKind::Conflict,
                "docker.sandbox",
                "the sandbox is paused",
            )),
            State::Ended | State::Destroyed => Err(self.gone()),
        }
    }

    fn gone(&self) -> Error {
        let what = if self.state() == State::Destroyed {
            "destroyed"
        } else {
            "ended"
        };
        let message = format!("the sandbox {} has {what}", self.id()).replace("has d", "is d");
        Error::new(ErrorKind::NotFound, "docker.sandbox", message)
    }

    fn container_or_gone(&self) -> Result<&str> {
        self.container().ok_or_else(|| self.gone())
    }

    async fn has_ended(&self) -> bool {
        match self.look().await {
            Ok(state) => {
                self.found(state);
                matches!(state, State::Ended | State::Destroyed)
            }
            Err(_) => false,
        }
    }

    /// The state as the daemon sees it.
    async fn look(&self) -> Result<State> {
        let Some(container) = self.container() else {
            return Ok(State::Ended);
        };
        let client = &self.shared.daemon.docker;
        let inspected = client
            .inspect_container(container, None::<InspectContainerOptions>)
            .await;
        let state = match inspected {
            Ok(found) => found.state.unwrap_or_default(),
            Err(error) if has_status(&error, 404) => return Ok(State::Ended),
            Err(error) => return Err(docker("docker.inspect")(error)),
        };
        Ok(match (state.running, state.paused) {
            (Some(true), Some(true)) => State::Paused,
            (Some(true), _) => State::Running,
            _ => State::Ended,
        })
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        self.freeze(State::Paused).await
    }

    pub(crate) async fn resume(&self) -> Result<()> {
        self.freeze(State::Running).await
    }

    async fn freeze(&self, wanted: State) -> Result<()> {
        let _changing = self.changing.lock().await;
        let container = match self.state() {
            State::Running | State::Paused => self.container_or_gone()?,
            State::Ended | State::Destroyed => return Err(self.gone()),
        };
        let client = &self.shared.daemon.docker;
        let done = match wanted {
            State::Paused => client.pause_container(container).await,
            _ => client.unpause_container(container).await,
        };
        match done {
            Ok(()) => {}
            Err(error) => {
                // It may be there already, or have ended: the daemon answers both with an error.
                let found = self.look().await?;
                self.found(found);
                if matches!(found, State::Ended | State::Destroyed) {
                    return Err(self.gone());
                }
                if found != wanted {
                    return Err(docker("docker.pause")(error));
                }
            }
        }
        self.found(wanted);
        Ok(())
    }

    pub(crate) async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        match self.state() {
            State::Running | State::Paused => {}
            State::Ended | State::Destroyed => return Err(self.gone()),
        }
        let Some(holder) = &self.holder else {
            let message = "the sandbox has no network";
            return Err(Error::unsupported("docker.egress", "egress", message));
        };
        let spec = self.spec.to_builder().egress(rules.clone()).build()?;
        let policy = policy::of(&self.shared, &spec, holder).await?;
        let mut line = Line::open(&self.shared.daemon.docker, holder).await?;
        line.set_policy(&policy).await
    }

    pub(crate) async fn snapshot(&self) -> Result<SnapshotId> {
        let _changing = self.changing.lock().await;
        self.usable()?;
        snapshot::take(&self.shared, self.id(), self.container_or_gone()?).await
    }

    pub(crate) async fn stats(&self) -> Result<Stats> {
        match self.state() {
            State::Running | State::Paused => {}
            State::Ended | State::Destroyed => return Err(self.gone()),
        }
        let container = self.container_or_gone()?;
        stats::of(
            &self.shared.daemon.docker,
            container,
            self.holder.as_deref(),
        )
        .await
    }

    pub(crate) async fn destroy(&self) -> Result<()> {
        let _changing = self.changing.lock().await;
        if self.state() == State::Destroyed {
            return Ok(());
        }
        self.found(State::Ended);
        let client = &self.shared.daemon.docker;
        // The sandbox first: it must not run for a moment without the one that holds its network.
        remove::all(client, self.container.iter()).await?;
        remove::all(client, self.holder.iter()).await?;
        self.state.send_replace(State::Destroyed);
        Ok(())
    }
}
