//! A body on its way up, and whether the server takes it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sandbox_core::{ByteStream, Error, ErrorKind, Result};
use tokio::time::Instant;

/// Where a body stands, seen from outside of the request that sends it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Upload(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since when it is the server's turn; `None` while the body itself is awaited.
    servers_turn: Option<Instant>,
    /// Whether all of it is sent.
    sent: bool,
    /// What the body failed with.
    failure: Option<Error>,
}

/// The error that a request is ended with when its body fails; the body's own is in [`Upload`].
#[derive(Debug)]
struct BodyFailed;

impl std::fmt::Display for BodyFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body of the request failed")
    }
}

impl std::error::Error for BodyFailed {}

struct Watched {
    body: ByteStream,
    upload: Upload,
}

impl Stream for Watched {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.upload.state().servers_turn = None;
        let polled = self.body.poll_next_unpin(cx);
        let mut state = self.upload.state();
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                state.servers_turn = Some(Instant::now());
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(error))) => {
                state.failure = Some(error);
                Poll::Ready(Some(Err(std::io::Error::other(BodyFailed))))
            }
            Poll::Ready(None) => {
                state.sent = true;
                Poll::Ready(None)
            }
        }
    }
}

impl Upload {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body that sends `body` and tells of it here.
    pub(crate) fn body(&self, body: ByteStream) -> reqwest::Body {
        reqwest::Body::wrap_stream(Watched {
            body,
            upload: self.clone(),
        })
    }

    /// What the body failed with.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state().failure.take()
    }

    /// Ends when the server has taken nothing for `idle` although there was something to take.
    pub(crate) async fn stalled(&self, operation: &'static str, idle: Duration) -> Error {
        loop {
            let since = {
                let state = self.state();
                state.servers_turn.filter(|_| !state.sent)
            };
            let until = match since {
                Some(since) if since.elapsed() >= idle => break,
                Some(since) => since + idle,
                None => Instant::now() + idle,
            };
            tokio::time::sleep_until(until).await;
        }
        let message = "the server takes nothing more of the body";
        Error::new(ErrorKind::Unavailable, operation, message)
    }
}
