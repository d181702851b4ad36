//! What a pod's policy refused, as its holder tells it.
//!
//! The line to the holder stays open as long as somebody uses the pod, and says nothing while nothing
//! is refused: an idle sandbox costs a connection and no work.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bollard::Docker;
use sandbox_core::{Result, RuntimeEvent, SandboxId};

use crate::holder::Line;
use crate::pod::Pod;
use crate::shared::Shared;

/// The least time between two events about one sandbox.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to reach a holder's line again.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Reports what `pod`'s policy refuses from now on, until nobody uses the pod or it has ended.
/// `line` is the one it was made with; all that was told over that counts.
pub(crate) fn watch(shared: &Arc<Shared>, pod: &Pod, line: Option<Line>) {
    let Some(holder) = pod.holder() else { return };
    if !pod.begin_watch() {
        return;
    }
    let watcher = Watcher {
        shared: Arc::downgrade(shared),
        client: shared.daemon.docker.clone(),
        id: pod.id().clone(),
        holder: holder.to_owned(),
        told: line.is_some().then_some(0),
    };
    let ended = pod.ended();
    tokio::spawn(async move {
        tokio::select! {
            () = watcher.run(line) => {}
            () = ended => {}
        }
    });
}

struct Watcher {
    /// The runtime may go while this waits.
    shared: Weak<Shared>,
    client: Docker,
    id: SandboxId,
    holder: String,
    /// How many refusals have been reported; none before the first look at an old pod.
    told: Option<u64>,
}

impl Watcher {
    async fn run(mut self, mut line: Option<Line>) {
        let mut backoff = PAUSE;
        loop {
            let followed = match line.take() {
                Some(line) => self.follow(line).await,
                None => self.reopen(&mut backoff).await,
            };
            if let Err(error) = followed {
                tracing::debug!(%error, id = %self.id, "the line to the holder broke off");
            }
            if self.shared.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    async fn reopen(&mut self, backoff: &mut Duration) -> Result<()> {
        let mut line = Line::open(&self.client, &self.holder).await?;
        let denied = line.denied_so_far().await?;
        *backoff = PAUSE;
        // What a pod was refused before this runtime found it is no news.
        self.told.get_or_insert(denied);
        self.report(denied).await;
        self.follow(line).await
    }

    /// Reports what `line` says until it ends.
    async fn follow(&mut self, mut line: Line) -> Result<()> {
        loop {
            let denied = line.next_denied().await?;
            self.report(denied).await;
        }
    }

    async fn report(&mut self, denied: u64) {
        let count = denied.saturating_sub(self.told.unwrap_or(0));
        self.told = Some(denied);
        let Some(shared) = self.shared.upgrade().filter(|_| count > 0) else {
            return;
        };
        let id = self.id.clone();
        shared.emit(RuntimeEvent::EgressDenied { id, count });
        drop(shared);
        tokio::time::sleep(PAUSE).await;
    }
}
