//! Finding pods again: labels say what they are, the daemon says how they are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as Status};
use sandbox_core::{Recovered, RecoveredState, Result, SandboxId, SandboxSpec, Source};

use crate::context::Context;
use crate::denials;
use crate::labels;
use crate::owned::{self, Part};
use crate::pod::{Pod, PodParts, State};
use crate::remove;
use crate::sandbox::DockerSandbox;
use crate::shared::Shared;
use crate::volumes;

/// What belongs to one sandbox.
#[derive(Debug, Default)]
struct Pieces {
    sandbox: Option<ContainerSummary>,
    holder: Option<ContainerSummary>,
}

/// Every sandbox of the namespace but those that this runtime is making right now.
pub(crate) async fn recover(shared: &Arc<Shared>) -> Result<Vec<Recovered>> {
    let found = list(shared).await?;
    let mut recovered = Vec::with_capacity(found.len());
    for (id, pieces) in found {
        if shared.is_creating(&id) {
            continue;
        }
        let state = state(&pieces);
        let pod = take_up(shared, &id, pieces, state);
        recovered.push(Recovered {
            id,
            state,
            sandbox: Arc::new(DockerSandbox(pod)),
        });
    }
    recovered.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(recovered)
}

async fn list(shared: &Shared) -> Result<HashMap<SandboxId, Pieces>> {
    let mut found: HashMap<SandboxId, Pieces> = HashMap::new();
    for (part, container) in owned::list(shared, "docker.recover").await? {
        match part {
            Part::Sandbox(id) => found.entry(id).or_default().sandbox = Some(container),
            Part::Holder(id) => found.entry(id).or_default().holder = Some(container),
            Part::Probe => {}
        }
    }
    Ok(found)
}

fn state(pieces: &Pieces) -> RecoveredState {
    let Some(sandbox) = &pieces.sandbox else {
        return RecoveredState::Broken;
    };
    let labels = sandbox.labels.clone().unwrap_or_default();
    let held = labels
        .get(labels::NETWORK)
        .is_some_and(|network| network == "none")
        || pieces.holder.as_ref().is_some_and(|holder| {
            let holds = owned::holder_of(sandbox) == holder.id.as_deref();
            holds && holder.state == Some(Status::RUNNING)
        });
    let whole = held && labels::spec(&labels).is_some();
    match sandbox.state {
        Some(Status::RUNNING) if whole => RecoveredState::Running,
        Some(Status::PAUSED) if whole => RecoveredState::Paused,
        _ => RecoveredState::Broken,
    }
}

fn take_up(
    shared: &Arc<Shared>,
    id: &SandboxId,
    pieces: Pieces,
    recovered: RecoveredState,
) -> Arc<Pod> {
    let state = match recovered {
        RecoveredState::Running => State::Running,
        RecoveredState::Paused => State::Paused,
        RecoveredState::Broken => State::Ended,
    };
    let id_of = |container: &Option<ContainerSummary>| container.as_ref()?.id.clone();
    let container = id_of(&pieces.sandbox);
    if let Some(pod) = shared.pod(id)
        && pod.container() == container.as_deref()
    {
        pod.found(state);
        return pod;
    }
    let sandbox = pieces
        .sandbox
        .as_ref()
        .and_then(|sandbox| sandbox.labels.clone());
    let labels = sandbox.unwrap_or_default();
    let spec = labels::spec(&labels).filter(|spec| spec.id() == id);
    let spec = spec.unwrap_or_else(|| unknown_spec(id));
    let defaults = labels::defaults(&labels).unwrap_or_default();
    let holder = id_of(&pieces.holder);
    let pod = shared.adopt(Pod::new(
        shared,
        PodParts {
            context: Context::new(&defaults, &spec),
            spec,
            agent: labels
                .get(labels::CHANNEL)
                .is_some_and(|channel| channel == "agent"),
            container,
            holder,
            state,
        },
    ));
    denials::watch(shared, &pod, None);
    pod
}

/// What stands for the spec of a sandbox that was never whole: it can only be destroyed.
fn unknown_spec(id: &SandboxId) -> SandboxSpec {
    SandboxSpec::builder(id.clone(), Source::Image("unknown".to_owned()))
        .build()
        .expect("a spec of defaults and a plain image name is valid")
}

/// Removes pieces that were never started, or never completed, longer than the configured age
/// ago: what a process left behind that died while it made a sandbox.
pub(crate) async fn reap(shared: &Shared) -> Result<usize> {
    let found = list(shared).await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut doomed = HashSet::new();
    for (id, pieces) in found {
        if shared.is_creating(&id) || !is_orphan(&pieces, now, shared.config.orphan_age) {
            continue;
        }
        let ids = [pieces.sandbox, pieces.holder].into_iter().flatten();
        doomed.extend(ids.filter_map(|container| container.id));
    }
    remove::all(&shared.daemon.docker, &doomed).await?;
    volumes::sweep(shared).await?;
    Ok(doomed.len())
}

/// Whether a pod has no sandbox that was ever started, and everything of it is older than `age`.
fn is_orphan(pieces: &Pieces, now: Duration, age: Duration) -> bool {
    let started = pieces
        .sandbox
        .as_ref()
        .is_some_and(|sandbox| sandbox.state != Some(Status::CREATED));
    let old = |container: &ContainerSummary| {
        let created = container.created.and_then(|at| u64::try_from(at).ok());
        created.is_some_and(|at| now.saturating_sub(Duration::from_secs(at)) > age)
    };
    !started && pieces.sandbox.iter().chain(&pieces.holder).all(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ContainerSummaryHostConfig;

    fn container(status: Status, created: i64) -> Option<ContainerSummary> {
        let id = SandboxId::new("a").unwrap();
        let spec = SandboxSpec::builder(id, Source::Image("x".into()))
            .build()
            .unwrap();
        let labels = HashMap::from([
            (labels::SPEC.to_owned(), labels::to_json(&spec).unwrap()),
            (labels::NETWORK.to_owned(), "holder".to_owned()),
        ]);
        Some(ContainerSummary {
            id: Some("0123".to_owned()),
            host_config: Some(ContainerSummaryHostConfig {
                network_mode: Some("container:0123".to_owned()),
                ..ContainerSummaryHostConfig::default()
            }),
            state: Some(status),
            created: Some(created),
            labels: Some(labels),
            ..ContainerSummary::default()
        })
    }

    #[test]
    fn half_a_pod_is_broken() {
        let whole = Pieces {
            sandbox: container(Status::RUNNING, 0),
            holder: container(Status::RUNNING, 0),
        };
        assert_eq!(state(&whole), RecoveredState::Running);
        let mut other = container(Status::RUNNING, 0);
        other.as_mut().unwrap().id = Some("4567".to_owned());
        let elsewhere = Pieces {
            sandbox: container(Status::RUNNING, 0),
            holder: other,
        };
        assert_eq!(state(&elsewhere), RecoveredState::Broken);
        let unheld = Pieces {
            holder: container(Status::EXITED, 0),
            ..whole
        };
        assert_eq!(state(&unheld), RecoveredState::Broken);
        let unused = Pieces {
            sandbox: None,
            holder: container(Status::RUNNING, 0),
        };
        assert_eq!(state(&unused), RecoveredState::Broken);
    }

    #[test]
    fn only_old_pieces_that_never_ran_are_orphans() {
        let (now, age) = (Duration::from_secs(1000), Duration::from_secs(600));
        let pieces = |sandbox, holder| Pieces { sandbox, holder };
        let holder = || container(Status::RUNNING, 100);
        assert!(is_orphan(&pieces(None, holder()), now, age));
        assert!(is_orphan(
            &pieces(container(Status::CREATED, 100), holder()),
            now,
            age
        ));
        assert!(!is_orphan(
            &pieces(container(Status::CREATED, 900), holder()),
            now,
            age
        ));
        assert!(!is_orphan(
            &pieces(container(Status::EXITED, 100), holder()),
            now,
            age
        ));
    }
}
