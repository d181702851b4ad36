//! `poll_oneoff`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::Call;
use super::subscription::{Found, Subscription, What, check_events};
use crate::kernel::{Description, Errno, Object, Process, Ready, Result};

/// What one call waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    sources: Vec<(Subscription, Source)>,
    /// The shortest of the times, if there are any.
    shortest: Option<Duration>,
}

#[derive(Debug)]
enum Source {
    /// Nothing to wait for.
    Ready(Found),
    /// So long from the call on.
    Time(Duration),
    /// Until it can be read, or written.
    Stream(Arc<Description>, bool),
}

impl Call<'_> {
    /// `poll_oneoff` up to where it may wait.
    pub(super) fn begin_poll(
        &mut self,
        subscriptions: u32,
        events: u32,
        count: u32,
        out: u32,
    ) -> Result<Waiting> {
        let subscriptions = Subscription::read_all(&self.memory, subscriptions, count)?;
        check_events(&self.memory, events, count, out)?;
        let mut shortest = None;
        let sources = subscriptions.into_iter().map(|subscription| {
            let source = match self.source(subscription.what) {
                Ok(source) => source,
                Err(errno) => Source::Ready(Found {
                    error: Some(errno),
                    ..Found::default()
                }),
            };
            if let Source::Time(time) = source {
                shortest = Some(shortest.map_or(time, |shortest: Duration| shortest.min(time)));
            }
            (subscription, source)
        });
        let sources = sources.collect();
        Ok(Waiting { sources, shortest })
    }

    /// # Errors
    /// What the event says: `BADF`, `INVAL` for a clock that there is not, `NOTSUP` for CPU time.
    fn source(&self, what: What) -> Result<Source> {
        match what {
            What::Clock {
                id,
                timeout,
                absolute,
            } => {
                let now = match id {
                    0 => self.now(),
                    1 => self.process.machine.clock.monotonic(),
                    2 | 3 => return Err(Errno::NOTSUP),
                    _ => return Err(Errno::INVAL),
                };
                let left = if absolute {
                    timeout.saturating_sub(now)
                } else {
                    timeout
                };
                Ok(Source::Time(Duration::from_nanos(left)))
            }
            What::Descriptor { fd, write } => {
                let description = self.description(fd)?;
                let allowed = if write {
                    description.write
                } else {
                    description.read
                };
                if !allowed {
                    return Err(Errno::BADF);
                }
                if description.is_stream() {
                    return Ok(Source::Stream(description, write));
                }
                let bytes = ready_bytes(&description, write)?;
                Ok(Source::Ready(Found {
                    bytes,
                    ..Found::default()
                }))
            }
        }
    }
}

/// Bytes left of a file; 1 for what has no end.
fn ready_bytes(description: &Description, write: bool) -> Result<u64> {
    match &description.object {
        Object::File(handle) if !write => {
            let position = *description.position.lock();
            let size = handle.files().lock().metadata_of(handle.get())?.size;
            Ok(size.saturating_sub(position))
        }
        _ => Ok(1),
    }
}

impl Waiting {
    /// Waits until something is ready; answers all that is.
    ///
    /// # Errors
    /// `INTR`.
    pub(super) async fn wait(&self, process: &Process) -> Result<Vec<(Subscription, Found)>> {
        let group = &process.machine.group;
        let mut sleep = self.shortest.map(|time| group.sleep(time));
        let found = poll_fn(|cx| {
            let mut found = self.ready(cx);
            let slept = sleep.as_mut().is_some_and(|sleep| {
                // Looked at without anything else ready only: it sets a timer.
                let over = |time: Option<Duration>| time == Some(Duration::ZERO);
                if found.is_empty() {
                    Pin::new(sleep).poll(cx).is_ready()
                } else {
                    over(self.shortest)
                }
            });
            if slept {
                found.extend(self.elapsed());
            }
            if found.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(Ok(found))
            }
        });
        process.interruptible(found).await
    }

    fn ready(&self, cx: &mut Context<'_>) -> Vec<(Subscription, Found)> {
        let mut found = Vec::new();
        for (subscription, source) in &self.sources {
            match source {
                Source::Ready(ready) => found.push((*subscription, *ready)),
                Source::Time(_) => {}
                Source::Stream(description, write) => {
                    if let Poll::Ready(ready) = description.poll_ready(cx, *write) {
                        found.push((*subscription, ready.into()));
                    }
                }
            }
        }
        found
    }

    /// The clocks whose time has come once the shortest is over.
    fn elapsed(&self) -> impl Iterator<Item = (Subscription, Found)> {
        let over =
            |source: &Source| matches!(source, Source::Time(time) if Some(*time) <= self.shortest);
        let due = self.sources.iter().filter(move |(_, source)| over(source));
        due.map(|(subscription, _)| (*subscription, Found::default()))
    }
}

impl From<Ready> for Found {
    fn from(ready: Ready) -> Self {
        Self {
            error: None,
            bytes: ready.bytes,
            hang_up: ready.hang_up,
        }
    }
}
