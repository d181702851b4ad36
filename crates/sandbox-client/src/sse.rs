//! Server-Sent Events, read as they come.

mod parser;

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream};
use reqwest::Response;
use sandbox_api_types::SseEvent;
use sandbox_core::{Error, ErrorKind, Result};

use self::parser::Parser;
use crate::call::Call;
use crate::client::Client;
use crate::error::{timed_out, transport};

/// A stream of events. It ends after its first error.
///
/// A stream that stands still for longer than [`Limits::idle_timeout`](crate::Limits::idle_timeout)
/// ends with `Unavailable`, and so does one that is cut in the middle; one that the server ends
/// just ends. Events of a kind that is not known are passed over.
pub struct EventStream<E> {
    state: State,
    parser: Parser,
    idle: Duration,
    last_id: Option<String>,
    operation: &'static str,
    event: PhantomData<fn() -> E>,
}

type Step = Result<Option<(Response, bytes::Bytes)>, Error>;

enum State {
    Waiting(BoxFuture<'static, Step>),
    Parsing(Response),
    Done,
}

impl<E> std::fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream")
            .field("operation", &self.operation)
            .field("last_id", &self.last_id)
            .finish_non_exhaustive()
    }
}

async fn step(operation: &'static str, mut answer: Response, idle: Duration) -> Step {
    match tokio::time::timeout(idle, answer.chunk()).await {
        Ok(Ok(Some(chunk))) => Ok(Some((answer, chunk))),
        Ok(Ok(None)) => Ok(None),
        Ok(Err(e)) => Err(transport(operation, e)),
        Err(_) => {
            let error = timed_out(operation, idle);
            let message = "the stream stands still";
            Err(Error::new(ErrorKind::Unavailable, operation, message).with_source(error))
        }
    }
}

impl<E> EventStream<E> {
    fn new(operation: &'static str, answer: Response, idle: Duration, most: usize) -> Self {
        Self {
            state: State::Parsing(answer),
            parser: Parser::new(most),
            idle,
            last_id: None,
            operation,
            event: PhantomData,
        }
    }

    /// The `id:` of the last event: what to give as where to go on from.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }
}

impl<E: SseEvent> EventStream<E> {
    /// The next event that is known, of what has arrived.
    fn parsed(&mut self) -> Option<Result<E>> {
        loop {
            let event = match self.parser.next()? {
                Ok(event) => event,
                Err(error) => return Some(Err(error)),
            };
            if let Some(id) = event.id {
                self.last_id = Some(id);
            }
            match E::decode(&event.name, &event.data) {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<E: SseEvent> Stream for EventStream<E> {
    type Item = Result<E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Parsing(answer) => match this.parsed() {
                    Some(Ok(event)) => {
                        this.state = State::Parsing(answer);
                        return Poll::Ready(Some(Ok(event)));
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let step = step(this.operation, answer, this.idle);
                        this.state = State::Waiting(step.boxed());
                    }
                },
                State::Waiting(mut waiting) => match waiting.poll_unpin(cx) {
                    Poll::Pending => {
                        this.state = State::Waiting(waiting);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Some((answer, chunk)))) => {
                        this.parser.push(&chunk);
                        this.state = State::Parsing(answer);
                    }
                    Poll::Ready(Ok(None)) => return Poll::Ready(None),
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }
}

impl Client {
    /// Sends `call` and reads its answer as events.
    pub(crate) async fn events_of<E: SseEvent>(
        &self,
        operation: &'static str,
        call: Call,
    ) -> Result<EventStream<E>> {
        let accept = reqwest::header::HeaderValue::from_static("text/event-stream");
        let answer = self.send(call.header("accept", accept)).await?;
        let kind = answer.headers().get(reqwest::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            let message = "the server answered something else than a stream of events";
            return Err(Error::new(ErrorKind::Internal, operation, message));
        }
        let limits = &self.inner().limits;
        Ok(EventStream::new(
            operation,
            answer,
            limits.idle_timeout,
            limits.max_event_bytes,
        ))
    }
}
