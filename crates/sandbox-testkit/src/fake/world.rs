//! What every sandbox of one fake daemon shares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use sandbox_core::{BoxStream, RuntimeEvent};
use tokio::sync::mpsc;

use super::network::FakeNetwork;
use super::script::Program;
use super::time::TimeSource;
use crate::lock::Locked;

pub(crate) struct World {
    pub(crate) time: TimeSource,
    pub(crate) network: FakeNetwork,
    programs: Mutex<BTreeMap<String, Program>>,
    listeners: Mutex<Vec<mpsc::UnboundedSender<RuntimeEvent>>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("time", &self.time)
            .field("programs", &self.programs.locked().keys())
            .finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(time: TimeSource) -> Arc<Self> {
        Arc::new(Self {
            time,
            network: FakeNetwork::default(),
            programs: Mutex::default(),
            listeners: Mutex::default(),
        })
    }

    pub(crate) fn add_program(&self, name: String, program: Program) {
        self.programs.locked().insert(name, program);
    }

    pub(crate) fn program(&self, name: &str) -> Option<Program> {
        self.programs.locked().get(name).cloned()
    }

    /// Tells everyone who listens.
    pub(crate) fn announce(&self, event: RuntimeEvent) {
        let mut listeners = self.listeners.locked();
        listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }

    pub(crate) fn events(&self) -> BoxStream<RuntimeEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.locked().push(sender);
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        }))
    }
}
