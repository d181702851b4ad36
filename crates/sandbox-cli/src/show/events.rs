//! Events.

use sandbox_api_types::{Event, EventKind};

use super::egress::policy;
use super::units::{bytes, exit, or_none, time};
use crate::output::Plain;

/// An event on one line.
pub(crate) fn event(event: &Event) -> String {
    let line = format!(
        "{} {} {} {}",
        event.seq,
        time(&event.at),
        or_none(&event.sandbox_id),
        what(&event.kind)
    );
    Plain(&line).to_string()
}

fn what(kind: &EventKind) -> String {
    match kind {
        EventKind::Created {
            template: Some(template),
        } => format!("created from {template}"),
        EventKind::Created { template: None } => "created".to_owned(),
        EventKind::Running => "running".to_owned(),
        EventKind::Suspended => "suspended".to_owned(),
        EventKind::Resumed => "resumed".to_owned(),
        EventKind::Destroyed => "destroyed".to_owned(),
        EventKind::Failed { failure } => format!("failed: {}", failure.message),
        EventKind::ActionFailed { action, error } => format!("{action} failed: {}", error.message),
        EventKind::CommandExecuted { command, pid } => format!("command ({pid}): {command}"),
        EventKind::ProcessExited { pid, status, .. } => {
            format!("process {pid} exited {}", exit(status))
        }
        EventKind::FileWritten { path, size } => format!("wrote {path} ({})", bytes(*size)),
        EventKind::FileRemoved { path } => format!("removed {path}"),
        EventKind::FileMoved { from, to } => format!("moved {from} to {to}"),
        EventKind::EgressUpdated { egress } => format!("egress: {}", policy(egress).join("; ")),
        EventKind::TimeoutChanged { expires_at } => match expires_at {
            Some(at) => format!("ends {}", time(at)),
            None => "its end stands still".to_owned(),
        },
        EventKind::SnapshotTaken { snapshot } => format!("snapshot {snapshot}"),
        EventKind::PermissionViolated { count } => {
            format!("egress denied {count} times")
        }
        EventKind::LimitExceeded { field, message, .. } => format!("limit {field}: {message}"),
        // Of a newer server; `--json` has what it says.
        _ => "something that this version does not know".to_owned(),
    }
}
