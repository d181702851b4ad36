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
        Some("pause") => pod.into_iter().for_each(|pod| frozen(pod, State::Paused)),
        Some("unpause") => pod.into_iter().for_each(|pod| frozen(pod, State::Running)),
        Some("oom") => {
            tokio::spawn(out_of_memory(shared, id));
        }
        Some(_) | None => {}
    }
    true
}

/// Asks how it is when the daemon says something new: what it says is old by now, and a snapshot, or
/// a resume that has answered since, made another state of it.
fn frozen(pod: Arc<Pod>, said: State) {
    if pod.state() != said {
        tokio::spawn(async move { pod.look_again().await });
    }
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
    use bollard::models::EventActor;
    use sandbox_core::{Capabilities, SandboxSpec, Source};

    use super::*;
    use crate::config::DockerConfig;
    use crate::context::Context;
    use crate::daemon::{Daemon, EnforcedLimits, Facts, open};
    use crate::labels::{self, Defaults};
    use crate::pod::PodParts;
    use crate::shared::{Networking, Reach};

    /// A runtime whose daemon does not answer.
    fn deaf() -> Arc<Shared> {
        let limits = EnforcedLimits {
            cpu: true,
            memory: true,
            pids: true,
        };
        let facts = Facts {
            version: String::new(),
            runtimes: Vec::new(),
            storage: String::new(),
            backing: String::new(),
            architecture: String::new(),
            linux: true,
            cpus: 1,
            memory: 1 << 30,
            limits,
        };
        let host = "tcp://127.0.0.1:1".to_owned();
        let docker = open(&host, Duration::from_secs(1)).unwrap();
        Arc::new(Shared::new(
            Daemon {
                docker,
                host,
                facts,
            },
            DockerConfig::default(),
            Reach::Exec,
            Networking::None,
            Capabilities::default(),
            Vec::new(),
        ))
    }

    fn running(shared: &Arc<Shared>) -> Arc<Pod> {
        let id = SandboxId::from_random([9; 16]);
        let spec = SandboxSpec::builder(id, Source::Image("busybox".into()));
        let spec = spec.build().unwrap();
        let parts = PodParts {
            context: Context::new(&Defaults::default(), &spec),
            spec,
            agent: false,
            container: Some("c".into()),
            holder: None,
            state: State::Running,
        };
        shared.adopt(Pod::new(shared, parts))
    }

    fn event(pod: &Pod, action: &str) -> EventMessage {
        let mut attributes = labels::base("default", Role::Sandbox);
        attributes.insert(labels::ID.into(), pod.id().to_string());
        attributes.insert("name".into(), labels::sandbox_name("default", pod.id()));
        EventMessage {
            action: Some(action.into()),
            actor: Some(EventActor {
                id: Some("c".into()),
                attributes: Some(attributes),
            }),
            ..EventMessage::default()
        }
    }

    #[tokio::test]
    async fn what_the_daemon_says_late_of_a_pause_is_not_believed() {
        let shared = deaf();
        let pod = running(&shared);
        assert!(handle(&Arc::downgrade(&shared), event(&pod, "pause")));
        assert_eq!(pod.state(), State::Running);
        pod.look_again().await;
        assert_eq!(pod.state(), State::Running);
        assert!(handle(&Arc::downgrade(&shared), event(&pod, "die")));
        assert_eq!(pod.state(), State::Ended);
    }

    #[test]
    fn listening_again_begins_after_the_last_event() {
        let event = EventMessage {
            time_nano: Some(1_700_000_000_999_999_999),
            ..EventMessage::default()
        };
        assert_eq!(after(&event).as_deref(), Some("1700000001.000000000"));
    }
}
