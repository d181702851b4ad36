//! Watches one runtime: hears what it says, and after a restart, or when it was away, matches what it
//! has with what the engine knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use sandbox_core::lifecycle::Observation;
use sandbox_core::{BoxStream, Recovered, Result, RuntimeEvent, Sandbox, SandboxId, Timestamp};
use tokio::sync::oneshot;

use crate::core::Core;
use crate::driver::Message;
use crate::entry::Entry;
use crate::slot::Slot;

/// How soon to look again after a look that failed or came at a bad time; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest time between two looks while something is amiss.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long after a creation was given up to look for what may have come of it.
const LEFTOVER_DELAY: Duration = Duration::from_secs(30);

/// Watches one runtime while the engine lives. It sleeps while all is well.
pub(crate) struct Watcher {
    core: Arc<Core>,
    slot: Arc<Slot>,
    events: Option<BoxStream<RuntimeEvent>>,
    look_at: Option<Timestamp>,
    failures: u32,
}

enum Happened {
    Stop,
    Event(Option<RuntimeEvent>),
    LookNow,
    Leftovers,
}

impl Watcher {
    /// Listens to `slot` from now on.
    pub(crate) fn new(core: Arc<Core>, slot: Arc<Slot>) -> Self {
        Self {
            events: Some(slot.runtime.events()),
            core,
            slot,
            look_at: None,
            failures: 0,
        }
    }

    /// Watches until the engine stops; also a look on its way ends when that may take no longer.
    pub(crate) async fn run(self) {
        let kill = self.core.kill.clone();
        tokio::select! {
            () = kill.cancelled() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(mut self) {
        loop {
            let happened = tokio::select! {
                biased;
                () = self.core.stop.cancelled() => Happened::Stop,
                event = next_event(&mut self.events) => Happened::Event(event),
                () = until(&self.core, self.look_at) => Happened::LookNow,
                () = self.slot.look_again.notified() => Happened::Leftovers,
            };
            match happened {
                Happened::Stop => return,
                Happened::Event(Some(event)) => self.hear(event).await,
                Happened::Event(None) => {
                    tracing::warn!(runtime = %self.slot.name, "the runtime's events broke off");
                    self.events = None;
                    self.look_within(LAST_RETRY);
                }
                Happened::LookNow => self.look().await,
                Happened::Leftovers => self.look_within(LEFTOVER_DELAY),
            }
        }
    }

    async fn hear(&mut self, event: RuntimeEvent) {
        match event {
            RuntimeEvent::Exited(id) => {
                let exited = Observation::Exited { code: None };
                self.tell(&id, Message::Observed(exited));
            }
            RuntimeEvent::OutOfMemory {
                id, fatal: true, ..
            } => self.tell(&id, Message::Observed(Observation::OutOfMemory)),
            RuntimeEvent::OutOfMemory { id, pid, .. } => self.tell(&id, Message::OutOfMemory(pid)),
            RuntimeEvent::EgressDenied { id, count } => {
                self.tell(&id, Message::EgressDenied(count));
            }
            RuntimeEvent::BackendLost => self.lost(),
            RuntimeEvent::BackendBack => {
                self.failures = 0;
                self.look().await;
            }
            other => {
                tracing::warn!(event = ?other, "a runtime says what this engine does not know")
            }
        }
    }

    fn tell(&self, id: &SandboxId, message: Message) {
        if let Some(entry) = self.core.registry.get(id)
            && entry.slot.name == self.slot.name
        {
            // Gone: it is destroyed, and no news matters to it.
            let _ = entry.send(message);
        }
    }

    fn lost(&mut self) {
        if !self.slot.is_available() {
            return;
        }
        tracing::warn!(runtime = %self.slot.name, "the runtime does not answer");
        self.slot.set_available(false);
        tell_all(&self.core, &self.slot, false);
        // It says when it is back; this is for one that forgets to.
        self.look_within(LAST_RETRY);
    }

    fn look_within(&mut self, delay: Duration) {
        let at = self.core.clock.now().plus(delay);
        self.look_at = Some(self.look_at.map_or(at, |planned| planned.min(at)));
    }

    fn look_later(&mut self) {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.look_within(FIRST_RETRY.saturating_mul(1 << doublings).min(LAST_RETRY));
    }

    /// Looks at everything the runtime has and sets right what does not fit. Called once before
    /// [`run`](Self::run), when the engine starts.
    pub(crate) async fn look(&mut self) {
        self.look_at = None;
        if self.events.is_none() {
            // Listening first: nothing is missed between the look and the first event.
            self.events = Some(self.slot.runtime.events());
        }
        let matched = match_all(&self.core, &self.slot).await;
        match matched {
            Ok(true) => self.failures = 0,
            Ok(false) => self.look_later(),
            Err(error) => {
                tracing::warn!(%error, runtime = %self.slot.name, "the runtime cannot be read");
                if self.slot.is_available() {
                    self.slot.set_available(false);
                    tell_all(&self.core, &self.slot, false);
                }
                self.look_later();
            }
        }
    }
}

/// Whether everything was matched and nothing is left over.
async fn match_all(core: &Core, slot: &Slot) -> Result<bool> {
    // The epochs first: work that begins or ends after this makes the look out of date.
    let with_epoch = |entry: Arc<Entry>| {
        let epoch = entry.epoch.load(Ordering::SeqCst);
        (entry, epoch)
    };
    let entries = core.registry.of_runtime(&slot.name).into_iter();
    let entries: Vec<_> = entries.map(with_epoch).collect();
    let limit = core.config.recover_timeout;
    let recover = slot.runtime.recover();
    let found = core.bounded("engine.recover", limit, recover).await?;
    slot.set_available(true);
    let mut found: HashMap<SandboxId, Recovered> = found
        .into_iter()
        .map(|recovered| (recovered.id.clone(), recovered))
        .collect();
    let mut answers = Vec::with_capacity(entries.len());
    for (entry, epoch) in entries {
        let (done, answer) = oneshot::channel();
        let found = found.remove(entry.id()).map(|one| (one.state, one.sandbox));
        let message = Message::Match { found, epoch, done };
        // Gone: it was destroyed meanwhile, which is the best match there is.
        if entry.send(message).is_ok() {
            answers.push(answer);
        }
    }
    let mut settled = true;
    for answer in answers {
        settled &= answer.await.unwrap_or(true);
    }
    tell_all(core, slot, true);
    Ok(remove_orphans(core, slot, found).await && settled)
}

fn tell_all(core: &Core, slot: &Slot, available: bool) {
    for entry in core.registry.of_runtime(&slot.name) {
        // Gone: it is destroyed, and no news matters to it.
        let _ = entry.send(Message::Backend { available });
    }
}

/// Destroys what the runtime has and the engine does not know. Whether all of it is gone.
async fn remove_orphans(core: &Core, slot: &Slot, found: HashMap<SandboxId, Recovered>) -> bool {
    let unknown = found
        .into_values()
        .filter(|one| core.registry.get(&one.id).is_none())
        .filter(|one| !core.quarantine.protects(&slot.name, &one.id));
    let removals = unknown.map(|orphan| remove_orphan(core, slot, orphan.sandbox));
    let removed = futures_util::future::join_all(removals).await;
    removed.into_iter().all(|gone| gone)
}

async fn remove_orphan(core: &Core, slot: &Slot, orphan: Arc<dyn Sandbox>) -> bool {
    tracing::info!(sandbox = %orphan.id(), runtime = %slot.name, "removing an orphan");
    let limit = core.config.destroy_timeout;
    let destroyed = core.bounded("engine.destroy", limit, orphan.destroy());
    match destroyed.await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, sandbox = %orphan.id(), "an orphan was not removed");
            false
        }
    }
}

async fn next_event(events: &mut Option<BoxStream<RuntimeEvent>>) -> Option<RuntimeEvent> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn until(core: &Core, at: Option<Timestamp>) {
    match at {
        Some(at) => core.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
