//! What the daemon says about our containers without being asked.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use sandbox_core::{BoxStream, RuntimeEvent, SandboxId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::labels::{self, Role};
use crate::owned;
use crate::pod::{Pod, State};
use crate::shared::Shared;

/// The longest pause between two attempts to reach a daemon that is away.
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// How long after an out-of-memory event it shows whether the first process was hit.
const OOM_SETTLES: Duration = Duration::from_millis(150);

/// A stream of `receiver`'s events. One that fell behind is told to look for itself.
pub(crate) fn stream(receiver: broadcast::Receiver<RuntimeEvent>) -> BoxStream<RuntimeEvent> {
    Box::pin(futures_util::stream::unfold(
        receiver,
        async |mut receiver| match receiver.recv().await {
            Ok(event) => Some((event, receiver)),
            Err(RecvError::Lagged(_)) => Some((RuntimeEvent::BackendBack, receiver)),
            Err(RecvError::Closed) => None,
        },
    ))
}

/// Listens until the runtime is dropped. Holds the runtime only while there is something to do.
pub(crate) fn listen(shared: &Arc<Shared>) {
    let client = shared.daemon.docker.clone();
    let namespace = shared.config.namespace.clone();
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        let mut since = now();
        let mut backoff = Duration::ZERO;
        let mut lost = false;
        loop {
            let filters = filters(&namespace);
            let options = EventsOptionsBuilder::new()
                .since(&since)
                .filters(&filters)
                .build();
            let mut events = Box::pin(client.events(Some(options)));
            // The daemon sends nothing until something happens; a ping says that it is there.
            if client.ping().await.is_ok() {
                backoff = Duration::ZERO;
                if std::mem::take(&mut lost) && !emit(&shared, RuntimeEvent::BackendBack) {
                    return;
                }
                loop {
                    let next = tokio::select! {
                        next = events.next() => next,
                        () = gone(&shared) => return,
                    };
                    let Some(Ok(event)) = next else { break };
                    since = after(&event).unwrap_or(since);
                    if !handle(&shared, event) {
                        return;
                    }
                }
            }
            if !std::mem::replace(&mut lost, true) && !emit(&shared, RuntimeEvent::BackendLost) {
                return;
            }
            backoff = (backoff * 2).clamp(Duration::from_millis(50), MAX_BACKOFF);
            tokio::time::sleep(backoff).await;
        }
    });
}

/// Ends when the runtime has been dropped.
async fn gone(shared: &Weak<Shared>) {
    while shared.strong_count() > 0 {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn filters(namespace: &str) -> HashMap<String, Vec<String>> {
    let mut filters = labels::filter(namespace);
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    filters.insert("type".to_owned(), list(&["container"]));
    let actions = ["die", "oom", "destroy", "pause", "unpause"];
    filters.insert("event".to_owned(), list(&actions));
    filters
}

fn now() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// The point in time just after `event`, as the daemon takes it.
fn after(event: &EventMessage) -> Option<String> {
    let nanos = event.time_nano? + 1;
    Some(format!(
        "{}.{:09}",
        nanos / 1_000_000_000,
        nanos % 1_000_000_000
    ))
}

fn emit(shared: &Weak<Shared>, event: RuntimeEvent) -> bool {
    let Some(shared) = shared.upgrade() else {
        return false;
    };
    shared.emit(event);
    true
}

/// Takes one event in; `false` when the runtime is gone.
fn handle(shared: &Weak<Shared>, event: EventMessage) -> bool {
    let Some(shared) = shared.upgrade() else {
        return false;
    };
    let actor = event.actor.unwrap_or_default();
    let labels = actor.attributes.unwrap_or_default();
    // Of a container, the attributes are its labels and its name.
    let name = labels.get("name").map_or("", String::as_str);
    let Some((role, id)) = owned::named(&shared.config.namespace, name, &labels) else {
        return true;
    };
    let container = actor.id.unwrap_or_default();
    let pod = shared.pod(&id);
    if role == Role::Holder {
        if matches!(event.action.as_deref(), Some("die" | "destroy")) {
            let pod = pod.filter(|pod| pod.holder() == Some(&container));
            holder_gone(&shared, id, pod);
        }
        return true;
    }
    let pod = pod.filter(|pod| pod.container() == Some(&container));
    match event.action.as_deref() {
        Some("die" | "destroy") => {
            let already = pod
                .as_ref()
                .is_some_and(|pod| matches!(pod.state(), State::Ended | State::Destroyed));
            if let Some(pod) = pod {
                pod.found(State::Ended);
            }
            // What we destroy ourselves, or is being made and fails, is no news.
            if !already && !shared.is_creating(&id) {
                shared.emit(RuntimeEvent::Exited(id));
            }
        }
        Some("pause") => pod.into_iter().for_each(|pod| pod.found(State::Paused)),
        Some("unpause") => pod.into_iter().for_each(|pod| pod.found(State::Running)),
        Some("oom") => {
            tokio::spawn(out_of_memory(shared, id));
        }
        Some(_) | None => {}
    }
    true
}

/// A pod whose holder is gone has no network, and no policy can open it again: it counts as ended.
///
/// Only pods in use here are reported. A holder goes last when its sandbox is destroyed, and by
/// then, where nobody uses the pod, nothing tells that from a holder that was killed.
fn holder_gone(shared: &Shared, id: SandboxId, pod: Option<Arc<Pod>>) {
    let Some(pod) = pod else { return };
    let already = matches!(pod.state(), State::Ended | State::Destroyed);
    pod.found(State::Ended);
    if !already && !shared.is_creating(&id) {
        shared.emit(RuntimeEvent::Exited(id));
    }
}

async fn out_of_memory(shared: Arc<Shared>, id: SandboxId) {
    tokio::time::sleep(OOM_SETTLES).await;
    let pod = shared.pod(&id);
    let fatal = pod.is_some_and(|pod| matches!(pod.state(), State::Ended | State::Destroyed));
    shared.emit(RuntimeEvent::OutOfMemory {
        id,
        pid: None,
        fatal,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_again_begins_after_the_last_event() {
        let event = EventMessage {
            time_nano: Some(1_700_000_000_999_999_999),
            ..EventMessage::default()
        };
        assert_eq!(after(&event).as_deref(), Some("1700000001.000000000"));
    }
}
