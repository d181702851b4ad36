//! What this process knows besides the store: which requests it is carrying out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::store::OwnerTotals;
use super::{BodyHash, Request};
use crate::lock::Locked;

#[derive(Debug)]
struct Running {
    body: BodyHash,
    ended: watch::Receiver<()>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    running: Mutex<HashMap<Request, Running>>,
    totals: Mutex<HashMap<String, OwnerTotals>>,
}

impl Shared {
    pub(super) fn totals(&self) -> MutexGuard<'_, HashMap<String, OwnerTotals>> {
        self.totals.locked()
    }

    /// Makes this caller the only one, or says why it is not.
    pub(super) fn hold(self: &Arc<Self>, request: Request, body: BodyHash) -> Holding {
        let mut running = self.running.locked();
        match running.get(&request) {
            Some(other) if other.body == body => return Holding::Running(other.ended.clone()),
            Some(_) => return Holding::OtherBody,
            None => {}
        }
        let (sender, ended) = watch::channel(());
        running.insert(request.clone(), Running { body, ended });
        Holding::Mine(Hold {
            shared: Arc::clone(self),
            request,
            _ended: sender,
        })
    }
}

/// Whose a request is.
pub(super) enum Holding {
    Mine(Hold),
    /// It is being carried out; the receiver fails when it ends.
    Running(watch::Receiver<()>),
    /// Its key is in use for another body.
    OtherBody,
}

/// Keeps a request to one caller in this process.
#[derive(Debug)]
pub(super) struct Hold {
    shared: Arc<Shared>,
    pub(super) request: Request,
    /// Dropped after the entry is gone, so that those who wait find it gone.
    _ended: watch::Sender<()>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.running.locked().remove(&self.request);
    }
}
