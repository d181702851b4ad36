//! The engine's events as the dialect shows them.

use sandbox_api_types::{ErrorDetail, Event, EventKind, EventStreamItem, Gap};
use sandbox_core::ErrorKind;
use sandbox_core::lifecycle::ActionError;
use sandbox_engine::events::{self as engine, EventItem};

/// What is told of an item; nothing for a kind of event that this version has no words for.
pub(super) fn item(item: EventItem) -> Option<EventStreamItem> {
    match item {
        EventItem::Gap { from, to } => Some(EventStreamItem::Gap(Gap { from, to })),
        EventItem::Event(event) => {
            let engine::Event { seq, event } = event;
            Some(EventStreamItem::Event(Event {
                seq,
                at: event.at.into(),
                sandbox_id: event.sandbox,
                kind: kind(event.kind)?,
            }))
        }
    }
}

fn kind(kind: engine::EventKind) -> Option<EventKind> {
    use engine::EventKind as Engine;
    Some(match kind {
        Engine::Created { template } => EventKind::Created { template },
        Engine::Running => EventKind::Running,
        Engine::Paused => EventKind::Suspended,
        Engine::Resumed => EventKind::Resumed,
        Engine::Destroyed => EventKind::Destroyed,
        Engine::Failed { failure } => EventKind::Failed {
            failure: (&failure).into(),
        },
        Engine::ActionFailed { action, error } => EventKind::ActionFailed {
            action: action.as_str().to_owned(),
            error: action_error(&error),
        },
        Engine::CommandExecuted { command, pid } => EventKind::CommandExecuted { command, pid },
        Engine::ProcessExited {
            process,
            pid,
            status,
        } => EventKind::ProcessExited {
            process_id: process.into(),
            pid,
            status: status.into(),
        },
        Engine::FileWritten { path, size } => EventKind::FileWritten { path, size },
        Engine::FileRemoved { path } => EventKind::FileRemoved { path },
        Engine::FileMoved { from, to } => EventKind::FileMoved { from, to },
        Engine::EgressUpdated { rules } => EventKind::EgressUpdated {
            egress: rules.into(),
        },
        Engine::TimeoutChanged { expires_at } => EventKind::TimeoutChanged {
            expires_at: expires_at.map(Into::into),
        },
        Engine::SnapshotTaken { snapshot } => EventKind::SnapshotTaken { snapshot },
        Engine::PermissionViolated { count } => EventKind::PermissionViolated { count },
        Engine::LimitExceeded {
            field,
            message,
            pid,
        } => EventKind::LimitExceeded {
            field,
            message,
            pid,
        },
        _ => return None,
    })
}

fn action_error(error: &ActionError) -> ErrorDetail {
    let message = match error.kind {
        // As in an answer: what went wrong inside is none of a tenant's business.
        ErrorKind::Internal => "something went wrong in the server",
        _ => &error.message,
    };
    ErrorDetail::new(error.kind.as_str(), message)
}
