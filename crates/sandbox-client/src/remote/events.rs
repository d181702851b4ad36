//! What happens on the server, told to everybody who asked.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use sandbox_api_types::{Event, EventKind, EventQuery, EventStreamItem};
use sandbox_core::{Result, RuntimeEvent, SandboxId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::gate::Ending;
use crate::{Client, EventStream};

/// How many events a reader may be behind before it is told to look for itself.
const BEHIND: usize = 1024;
/// The first pause between tries to hear of events again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The field of the memory limit, by which the server says what was exceeded.
const MEMORY: &str = "resources.memory";

/// Reads the server's events and hands them out.
pub(super) struct Listener {
    client: Client,
    ending: Ending,
    told: broadcast::Sender<RuntimeEvent>,
    /// The number after the last event that came.
    next: Option<u64>,
}

/// Begins to listen, before anything can have happened that nobody hears of.
///
/// # Errors
/// What the server refuses it with.
pub(super) async fn listen(
    client: Client,
    ending: Ending,
    stop: CancellationToken,
) -> Result<broadcast::Sender<RuntimeEvent>> {
    let events = client.events(&EventQuery::default()).await?;
    let told = broadcast::Sender::new(BEHIND);
    let listener = Listener {
        client,
        ending,
        told: told.clone(),
        next: None,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = listener.run(events) => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(told)
}

/// What is told from now on. A reader that falls behind is told that events may be missing.
pub(super) fn heard(
    told: &broadcast::Sender<RuntimeEvent>,
) -> impl Stream<Item = RuntimeEvent> + use<> {
    stream::unfold(told.subscribe(), |mut events| async move {
        match events.recv().await {
            Ok(event) => Some((event, events)),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                Some((RuntimeEvent::BackendBack, events))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    })
}

impl Listener {
    async fn run(mut self, mut events: EventStream<EventStreamItem>) {
        loop {
            while let Some(item) = events.next().await {
                match item {
                    Ok(EventStreamItem::Event(event)) => self.tell(&event),
                    Ok(EventStreamItem::Gap(gap)) => {
                        self.next = Some(gap.to.saturating_add(1));
                        self.say(RuntimeEvent::BackendBack);
                    }
                    Ok(EventStreamItem::Error(body)) => {
                        tracing::debug!(error = body.error.message, "the events end");
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the events break off");
                        break;
                    }
                }
            }
            events = self.again().await;
        }
    }

    /// Hears of events again, and from where it left off where that is known.
    async fn again(&self) -> EventStream<EventStreamItem> {
        let query = EventQuery {
            from: self.next,
            ..EventQuery::default()
        };
        // The first try tells whether the server is away, or one connection was.
        if self.next.is_some()
            && let Ok(events) = self.client.events(&query).await
        {
            return events;
        }
        self.say(RuntimeEvent::BackendLost);
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.client.events(&query).await {
                Ok(events) => {
                    self.say(RuntimeEvent::BackendBack);
                    return events;
                }
                Err(error) => tracing::debug!(%error, "no events yet"),
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        self.next = Some(event.seq.saturating_add(1));
        if let Some(id) = &event.sandbox_id
            && let Some(event) = self.meaning(id, &event.kind)
        {
            self.say(event);
        }
    }

    fn say(&self, event: RuntimeEvent) {
        // Nobody may be listening.
        let _ = self.told.send(event);
    }

    /// What an event of the server means to users of a runtime: what nobody asked for.
    fn meaning(&self, id: &SandboxId, kind: &EventKind) -> Option<RuntimeEvent> {
        let id = id.clone();
        match kind {
            EventKind::Failed { failure } if failure.code == "out_of_memory" => {
                Some(RuntimeEvent::OutOfMemory {
                    id,
                    pid: None,
                    fatal: true,
                })
            }
            EventKind::Failed { failure } => {
                let ended = matches!(failure.code.as_str(), "exited" | "broken" | "missing");
                ended.then_some(RuntimeEvent::Exited(id))
            }
            EventKind::Destroyed => match self.ending.was_asked_for(&id) {
                true => None,
                false => Some(RuntimeEvent::Exited(id)),
            },
            EventKind::LimitExceeded { field, pid, .. } if field == MEMORY => {
                Some(RuntimeEvent::OutOfMemory {
                    id,
                    pid: *pid,
                    fatal: false,
                })
            }
            EventKind::PermissionViolated { count } => {
                Some(RuntimeEvent::EgressDenied { id, count: *count })
            }
            _ => None,
        }
    }
}
