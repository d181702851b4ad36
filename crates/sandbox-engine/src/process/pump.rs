//! Reads the output of one process, all the time.

use std::future::Future;
use std::sync::Arc;

use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, ErrorKind, ExitStatus, Process, ProcessEvent, Result, Sandbox, SandboxId, Timestamp,
};
use tokio::sync::oneshot;

use super::ProcessId;
use super::table::{Managed, Takeover};
use crate::OwnerId;
use crate::config::EngineConfig;
use crate::core::Core;
use crate::events::{EventKind, NewEvent};
use crate::store::StoredProcess;

/// What watching a process of one sandbox needs.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) core: Arc<Core>,
    pub(crate) owner: OwnerId,
    pub(crate) sandbox: SandboxId,
}

impl Watch {
    pub(super) fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    pub(super) fn config(&self) -> &EngineConfig {
        &self.core.config
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.core.tasks.spawn(task);
    }

    pub(super) async fn forget(&self, id: &ProcessId) {
        if let Err(error) = self.core.store.remove_process(id).await {
            tracing::warn!(%error, process = %id, "a process that ended was not removed");
        }
    }

    async fn keep(&self, managed: &Managed) {
        let row = managed.row(&self.sandbox);
        self.keep_row(&row).await;
    }

    async fn keep_row(&self, row: &StoredProcess) {
        if let Err(error) = self.core.store.save_process(row).await {
            tracing::warn!(%error, process = %row.id, "a process was not written down");
        }
    }

    async fn ended(&self, managed: &Managed, status: ExitStatus) {
        if !managed.set_ended(self.now(), status) {
            return;
        }
        managed.ring.exited(status);
        self.keep(managed).await;
        let event = NewEvent {
            at: self.now(),
            owner: self.owner.clone(),
            sandbox: Some(self.sandbox.clone()),
            kind: EventKind::ProcessExited {
                process: managed.id.clone(),
                pid: managed.pid,
                status,
            },
        };
        self.core.publish(event).await;
    }
}

type Events = Option<BoxStream<Result<ProcessEvent>>>;

/// A process that was just started and is not written down yet.
pub(super) struct Started {
    pub(super) row: StoredProcess,
    pub(super) kept: oneshot::Sender<()>,
}

/// Writes a process down, and watches it.
pub(super) async fn run(
    watch: Watch,
    managed: Arc<Managed>,
    process: Arc<dyn Process>,
    events: Events,
    started: Started,
) {
    let stop = watch.core.stop.clone();
    let watching = async {
        watch.keep_row(&started.row).await;
        // Whoever started it may have left.
        let _ = started.kept.send(());
        pump(&watch, &managed, process, events).await;
    };
    tokio::select! {
        () = watching => {}
        () = stop.cancelled() => managed.ring.close(),
    }
}

/// Takes up a process that nobody watches.
pub(super) async fn take_over(
    watch: Watch,
    managed: Arc<Managed>,
    sandbox: Arc<dyn Sandbox>,
    how: Takeover,
) {
    let stop = watch.core.stop.clone();
    let watching = async {
        let attached = match how {
            Takeover::Attach => {
                let limit = watch.config().action_timeout;
                let attach = sandbox.attach(managed.pid);
                watch.core.bounded("process.attach", limit, attach).await
            }
            Takeover::Lost => return lost_in(&watch, &managed).await,
        };
        match attached {
            Ok(process) => {
                managed.attached(Arc::clone(&process));
                watch.keep(&managed).await;
                let events = process.events();
                pump(&watch, &managed, process, events).await;
            }
            // It cannot be reached now: it is taken up when the sandbox runs again.
            Err(error) if is_passing(error.kind()) => managed.detached(),
            Err(_) => lost_in(&watch, &managed).await,
        }
    };
    tokio::select! {
        () = watching => {}
        () = stop.cancelled() => managed.ring.close(),
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable | ErrorKind::Conflict | ErrorKind::Timeout
    )
}

/// Notes a process whose sandbox is gone.
pub(super) async fn lost(watch: Watch, managed: Arc<Managed>) {
    lost_in(&watch, &managed).await;
}

async fn lost_in(watch: &Watch, managed: &Managed) {
    watch.ended(managed, ExitStatus::lost()).await;
    managed.ring.close();
}

async fn pump(watch: &Watch, managed: &Managed, process: Arc<dyn Process>, events: Events) {
    if let Some(mut events) = events {
        while let Some(event) = events.next().await {
            match event {
                Ok(ProcessEvent::Output(stream, data)) => managed.ring.push(stream, data).await,
                Ok(ProcessEvent::Exited(status)) => watch.ended(managed, status).await,
                Err(error) => {
                    tracing::debug!(%error, process = %managed.id, "its output broke off");
                    break;
                }
            }
        }
    }
    if managed.ended().is_none() {
        match process.wait().await {
            Ok(status) => watch.ended(managed, status).await,
            Err(error) if is_passing(error.kind()) => return managed.detached(),
            Err(_) => watch.ended(managed, ExitStatus::lost()).await,
        }
    }
    managed.ring.close();
}
