//! The compute seconds that an owner may use in a month: held against every create and resume, and
//! enforced when they are used up.
//!
//! Whoever has used them up has nothing running any more: what the runtime can pause is paused,
//! whatever its policy, because a paused sandbox loses nothing and costs no seconds; its time to
//! live goes on where its policy says so. Where the runtime cannot pause, it is destroyed. Nothing
//! is resumed or woken until the month ends or the allowance is raised.

use std::collections::HashSet;
use std::sync::Arc;

use sandbox_core::{Result, SandboxId, Timestamp};

use crate::OwnerId;
use crate::core::Core;
use crate::driver::Message;
use crate::owners::Month;

/// Makes sure that the owner's time is known and its allowance is the one that holds now.
pub(crate) async fn refresh(core: &Core, owner: &OwnerId) -> Result<()> {
    load(core, owner, &HashSet::new()).await?;
    let seconds = core.admission.compute_seconds_per_month(owner).await?;
    core.meter.set_limit(owner, seconds);
    Ok(())
}

/// Refuses another sandbox when nothing is left.
///
/// # Errors
/// `LimitExceeded` with field `quotas.compute_seconds_per_month`; what the admission and the store
/// fail with.
pub(crate) async fn check(core: &Core, owner: &OwnerId) -> Result<()> {
    refresh(core, owner).await?;
    core.meter.check(owner, core.clock.now())
}

/// Reads what the store has of `owner`, before any of its sandboxes runs.
pub(crate) async fn load(core: &Core, owner: &OwnerId, lives: &HashSet<SandboxId>) -> Result<()> {
    if core.meter.knows(owner) {
        return Ok(());
    }
    let month = Month::of(core.clock.now());
    let rows = core.store.usage(owner, month).await?;
    core.meter.load(owner, month, rows, |id| lives.contains(id));
    Ok(())
}

/// Stops what runs of those who have used up their allowance, when they have.
pub(crate) async fn watch(core: Arc<Core>) {
    let mut changes = core.admission.allowance_changes();
    let (stop, kill) = (core.stop.clone(), core.kill.clone());
    loop {
        let due = core.meter.next_due();
        let looked_at = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = kill.cancelled() => return,
            () = changed(&mut changes) => core.meter.running(),
            () = until(&core, due) => core.meter.take_due(core.clock.now()),
            () = core.meter.sooner.notified() => continue,
        };
        for owner in looked_at {
            look(&core, &owner).await;
        }
    }
}

async fn look(core: &Core, owner: &OwnerId) {
    if let Err(error) = refresh(core, owner).await {
        // The one known so far holds.
        tracing::warn!(%error, %owner, "the allowance of an owner cannot be read");
    }
    let now = core.clock.now();
    let used_up = core.meter.check(owner, now).err();
    // Also when nothing is to be told: it is planned again.
    core.meter.told(
        owner,
        match used_up {
            Some(_) => now,
            None => Timestamp::EPOCH,
        },
    );
    let Some(used_up) = used_up else {
        return;
    };
    tracing::info!(%owner, reason = used_up.message(), "sandboxes are stopped");
    for entry in core.registry.of_owner(owner) {
        // Gone: it does not run any more.
        let _ = entry.send(Message::UsedUp(used_up.message().to_owned()));
    }
}

async fn changed(changes: &mut Option<tokio::sync::watch::Receiver<u64>>) {
    let is_open = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !is_open {
        *changes = None;
        std::future::pending().await
    }
}

async fn until(core: &Core, at: Option<Timestamp>) {
    match at {
        Some(at) => core.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
