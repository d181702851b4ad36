//! Telling what a policy refused: counted, and at most once a second.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::hub::Hub;
use crate::lock::Lock;

/// The least time between two reports about one sandbox.
const PAUSE: Duration = Duration::from_secs(1);

/// Hears how much was refused since the last call.
pub(crate) trait DenialSink: Send + Sync + 'static {
    /// `count` connects, datagrams and lookups were refused; never 0.
    fn denied(&self, count: u64);
}

impl<F: Fn(u64) + Send + Sync + 'static> DenialSink for F {
    fn denied(&self, count: u64) {
        self(count);
    }
}

/// The refusals of one sandbox.
pub(super) struct Denials {
    hub: Arc<Hub>,
    sink: Box<dyn DenialSink>,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Refusals nobody was told of.
    count: u64,
    told: Option<Instant>,
    /// Whether a report will be made.
    scheduled: bool,
}

impl Denials {
    pub(super) fn new(hub: Arc<Hub>, sink: Box<dyn DenialSink>) -> Arc<Self> {
        Arc::new(Self {
            hub,
            sink,
            state: Lock::default(),
        })
    }

    /// Counts one refusal. Not with the gate locked: others wait for that, and the sink is not ours.
    pub(super) fn note(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.count = state.count.saturating_add(1);
        if state.scheduled {
            return;
        }
        let since = state.told.map(|told| told.elapsed());
        match since.filter(|since| *since < PAUSE) {
            None => {
                drop(state);
                self.tell();
            }
            Some(since) => {
                state.scheduled = true;
                drop(state);
                let later: Weak<Self> = Arc::downgrade(self);
                self.hub.after(PAUSE.saturating_sub(since), move || {
                    if let Some(denials) = later.upgrade() {
                        denials.tell();
                    }
                });
            }
        }
    }

    fn tell(&self) {
        let mut state = self.state.lock();
        let count = std::mem::take(&mut state.count);
        state.told = Some(Instant::now());
        state.scheduled = false;
        drop(state);
        if count > 0 {
            self.sink.denied(count);
        }
    }
}

/// What was not told yet is told with the end.
impl Drop for Denials {
    fn drop(&mut self) {
        self.tell();
    }
}

impl fmt::Debug for Denials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denials")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
