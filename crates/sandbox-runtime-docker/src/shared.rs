//! What all sandboxes of one runtime share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sandbox_core::{Capabilities, RuntimeEvent, SandboxId};
use tokio::sync::broadcast;

use crate::config::DockerConfig;
use crate::daemon::Daemon;
use crate::pod::Pod;

/// How many events a listener may be behind before it is told that it lost some.
const EVENTS: usize = 4096;

/// How many images' volumes are remembered to be where they may be.
const VETTED: usize = 1024;

/// How new sandboxes are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By the agent, from this volume.
    Agent { volume: String },
    /// By `docker exec`.
    Exec,
}

/// Where the network of new sandboxes comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Networking {
    /// A holder made from this image.
    Holder { image: String },
    /// There is none: a policy could not be enforced.
    None,
}

/// The daemon, the settings, and the sandboxes in use here.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) daemon: Daemon,
    pub(crate) config: DockerConfig,
    reach: Mutex<Reach>,
    pub(crate) networking: Networking,
    pub(crate) capabilities: Capabilities,
    /// What works less well than it could, a line each.
    pub(crate) notes: Vec<String>,
    pods: Mutex<HashMap<SandboxId, Weak<Pod>>>,
    creating: Mutex<HashSet<SandboxId>>,
    /// Images, by content, whose volumes are where they may be.
    vetted: Mutex<HashSet<String>>,
    events: broadcast::Sender<RuntimeEvent>,
}

impl Shared {
    pub(crate) fn new(
        daemon: Daemon,
        config: DockerConfig,
        reach: Reach,
        networking: Networking,
        capabilities: Capabilities,
        notes: Vec<String>,
    ) -> Self {
        Self {
            daemon,
            config,
            reach: Mutex::new(reach),
            networking,
            capabilities,
            notes,
            pods: Mutex::default(),
            creating: Mutex::default(),
            vetted: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        }
    }

    /// How sandboxes made from now on are reached.
    pub(crate) fn reach(&self) -> Reach {
        locked(&self.reach).clone()
    }

    /// Takes note of where the agent is now.
    pub(crate) fn reach_by(&self, reach: Reach) {
        *locked(&self.reach) = reach;
    }

    /// The pod of `id` that is in use here: every handle of a sandbox shares one.
    pub(crate) fn pod(&self, id: &SandboxId) -> Option<Arc<Pod>> {
        locked(&self.pods).get(id).and_then(Weak::upgrade)
    }

    /// Takes note of `pod`; another one of the same container wins.
    pub(crate) fn adopt(&self, pod: Pod) -> Arc<Pod> {
        let mut pods = locked(&self.pods);
        pods.retain(|_, pod| pod.strong_count() > 0);
        let known = pods.get(pod.id()).and_then(Weak::upgrade);
        if let Some(known) = known
            && known.container() == pod.container()
        {
            return known;
        }
        let pod = Arc::new(pod);
        pods.insert(pod.id().clone(), Arc::downgrade(&pod));
        pod
    }

    /// Marks `id` as being made until the answer is dropped.
    pub(crate) fn creating(self: &Arc<Self>, id: &SandboxId) -> Option<Creating> {
        locked(&self.creating).insert(id.clone()).then(|| Creating {
            shared: Arc::clone(self),
            id: id.clone(),
        })
    }

    /// Whether `id` is being made by this runtime right now.
    pub(crate) fn is_creating(&self, id: &SandboxId) -> bool {
        locked(&self.creating).contains(id)
    }

    /// Whether the volumes of an image have been found to be where they may be.
    pub(crate) fn knows_volumes_of(&self, image: &str) -> bool {
        locked(&self.vetted).contains(image)
    }

    /// Takes note that the volumes of an image are where they may be.
    pub(crate) fn know_volumes_of(&self, image: &str) {
        let mut vetted = locked(&self.vetted);
        // Forgetting costs some questions to the daemon.
        if vetted.len() >= VETTED {
            vetted.clear();
        }
        vetted.insert(image.to_owned());
    }

    pub(crate) fn emit(&self, event: RuntimeEvent) {
        // Nobody listening is fine: events are about now.
        let _ = self.events.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }
}

/// A sandbox that is being made.
#[derive(Debug)]
pub(crate) struct Creating {
    shared: Arc<Shared>,
    id: SandboxId,
}

impl Drop for Creating {
    fn drop(&mut self) {
        locked(&self.shared.creating).remove(&self.id);
    }
}

/// These maps are consistent after every single operation, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
