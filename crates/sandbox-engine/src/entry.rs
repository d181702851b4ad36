//! A living sandbox as the rest of the engine reaches it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};

use sandbox_core::{Result, Sandbox, SandboxId, SandboxSpec};
use tokio::sync::{mpsc, watch};

use crate::driver::Message;
use crate::gate::Gate;
use crate::lock::Shared;
use crate::process::ProcessTable;
use crate::slot::Slot;
use crate::{OwnerId, SandboxRecord};

/// A sandbox that is not destroyed. Only its driver changes what is in `view`, `sandbox` and
/// `epoch`; everybody else reads them, and sends messages.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) owner: OwnerId,
    pub(crate) spec: Arc<SandboxSpec>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) processes: ProcessTable,
    /// Counts beginnings and ends of work on it, so that a look at the runtime that began before
    /// is known to be out of date.
    pub(crate) epoch: AtomicU64,
    pub(crate) view: watch::Sender<Arc<SandboxRecord>>,
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
    sandbox: RwLock<Option<Arc<dyn Sandbox>>>,
}

/// What an [`Entry`] is made of.
pub(crate) struct NewEntry {
    pub(crate) record: SandboxRecord,
    pub(crate) slot: Arc<Slot>,
    pub(crate) processes: ProcessTable,
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
}

impl Entry {
    pub(crate) fn new(new: NewEntry) -> Self {
        Self {
            seq: new.record.seq,
            owner: new.record.owner.clone(),
            spec: Arc::clone(&new.record.spec),
            slot: new.slot,
            gate: Arc::default(),
            processes: new.processes,
            epoch: AtomicU64::new(0),
            view: watch::Sender::new(Arc::new(new.record)),
            inbox: new.inbox,
            sandbox: RwLock::new(None),
        }
    }

    pub(crate) fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    pub(crate) fn record(&self) -> Arc<SandboxRecord> {
        Arc::clone(&self.view.borrow())
    }

    /// The runtime's own handle, while there is one.
    pub(crate) fn sandbox(&self) -> Option<Arc<dyn Sandbox>> {
        self.sandbox.reading().clone()
    }

    pub(crate) fn set_sandbox(&self, sandbox: Option<Arc<dyn Sandbox>>) {
        *self.sandbox.writing() = sandbox;
    }

    /// Sends `message` to the driver. `Err`: it has gone, because the sandbox is destroyed or the
    /// engine stopped.
    pub(crate) fn send(&self, message: Message) -> Result<(), Gone> {
        self.inbox.send(message).map_err(|_| Gone)
    }
}

/// The driver of a sandbox has gone.
#[derive(Debug)]
pub(crate) struct Gone;
