//! What the runtime says without having been asked.

use sandbox_core::{BoxStream, Pid, RuntimeEvent, SandboxId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::kernel::MachineEvents;

/// Events that wait for a slow reader; then it is told to look for itself.
const WAITING: usize = 1024;

/// Where events go to all who listen.
#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<RuntimeEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(WAITING).0)
    }

    /// Events from now on; the stream ends with the runtime.
    pub(crate) fn stream(&self) -> BoxStream<RuntimeEvent> {
        Box::pin(futures_util::stream::unfold(
            self.0.subscribe(),
            async |mut receiver| match receiver.recv().await {
                Ok(event) => Some((event, receiver)),
                Err(RecvError::Lagged(_)) => Some((RuntimeEvent::BackendBack, receiver)),
                Err(RecvError::Closed) => None,
            },
        ))
    }

    /// Tells everybody; nobody may be listening.
    pub(crate) fn tell(&self, event: RuntimeEvent) {
        let _ = self.0.send(event);
    }

    /// What one sandbox tells.
    pub(crate) fn of(&self, id: &SandboxId) -> SandboxEvents {
        SandboxEvents {
            id: id.clone(),
            events: self.clone(),
        }
    }
}

/// Tells what happens to one sandbox.
#[derive(Debug, Clone)]
pub(crate) struct SandboxEvents {
    id: SandboxId,
    events: Events,
}

impl SandboxEvents {
    /// The egress policy refused `count` connects, datagrams and lookups.
    pub(crate) fn egress_denied(&self, count: u64) {
        self.events.tell(RuntimeEvent::EgressDenied {
            id: self.id.clone(),
            count,
        });
    }
}

impl MachineEvents for SandboxEvents {
    fn out_of_memory(&self, pid: Pid) {
        self.events.tell(RuntimeEvent::OutOfMemory {
            id: self.id.clone(),
            pid: Some(pid),
            // A limit of one process's sandbox; the sandbox has no first process to lose.
            fatal: false,
        });
    }
}
